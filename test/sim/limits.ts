import { readSettings } from "../../src/lease/settings.ts";
import { LEASE_LABEL } from "../../src/shared/names.ts";
import type { Note } from "./history.ts";
import { LEASE_NAME } from "./pod-object.ts";

/** Notes the limits that these annotations of the pod set for a hold of `claim`, if they are valid. */
export function noteLimits(note: Note, claim: string, annotations: Readonly<Record<string, string>>): void {
  const limits = readSettings({ labels: { [LEASE_LABEL]: LEASE_NAME }, annotations });
  if (!limits.ok) return;
  const { maxHoldMs, startTimeoutMs, renew, onLost } = limits.settings;
  note({
    what: "limited",
    claim,
    startTimeoutMs,
    continues: onLost === "continue",
    ...(renew && maxHoldMs !== undefined && { maxHoldMs }),
  });
}
