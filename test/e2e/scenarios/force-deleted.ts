/** Pods whose object is gone before their kubelet has begun to stop them: only the keeper's announcement tells of their end. */
import { expect } from "vitest";
import { bootMs, toBootMs } from "../boot-time.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { handover, holdBefore } from "../handover.ts";
import { type Stage, setStage } from "../stage.ts";
import type { Workload } from "../workload.ts";

const row = "force-deleted, garbage-collected, Node deleted, out-of-service taint";
const needsKubelet =
  "how a kubelet ends a pod that has vanished, with what grace period, is the kubelet's own";

/** So long that no expiry can be mistaken for what is measured. */
const TTL = "10m";
const GRANTED_WITHIN_MS = 10_000;

interface Ending {
  name: string;
  what: string;
  graceSeconds: number;
  onTerm: Workload["onTerm"];
  flags: readonly string[];
  locks?: Scenario["locks"];
  /** Preparations before the deletion, and actions after the keeper's announcement. */
  before?(environment: Environment): Promise<void>;
  meanwhile?(environment: Environment): Promise<void>;
}

const FORCE = ["--grace-period=0", "--force"];

const ENDINGS: readonly Ending[] = [
  {
    name: "a pod that is deleted by force gives up its klease, whose ttl is 10m, when its grace period is over",
    what: "deleted by force",
    graceSeconds: 10,
    onTerm: { afterSeconds: 6 },
    flags: FORCE,
  },
  {
    name: "a pod without a grace period gives up its klease, whose ttl is 10m, within 10 s of its keeper's announcement",
    what: "deleted without a grace period",
    graceSeconds: 0,
    onTerm: "ignore",
    flags: [],
  },
  {
    name: "the arbiter's death neither restarts a force-deleted pod's grace period nor ends it early",
    what: "deleted by force while the arbiter dies",
    graceSeconds: 20,
    onTerm: { afterSeconds: 6 },
    flags: FORCE,
    locks: ["konductor"],
    // No replica has a review of the pod's token cached, so that only the token's signature tells whose it is.
    async before({ konductor }) {
      await konductor.stop();
      await konductor.start();
    },
    meanwhile: ({ konductor }) => konductor.killArbiter(),
  },
];

export const forceDeleted: readonly Scenario[] = ENDINGS.map(
  ({ name, what, graceSeconds, onTerm, flags, locks = [], before, meanwhile }): Scenario => ({
    ...{ name, row, needsKubelet, locks },
    async run(environment) {
      const stage = await setStage(environment, "vanished", { ttl: TTL });
      await holdBefore(stage, { graceSeconds, ...(onTerm && { onTerm }) });
      await before?.(environment);
      const atMs = bootMs();
      await environment.kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false", ...flags);
      const saidMs = await keeperHasSpoken(stage);
      await meanwhile?.(environment);
      const { status } = await stage.lease(
        "next to be granted the klease",
        ({ status: { hold } }) => hold?.holder === "next",
      );
      expect(status.history[0]).toMatchObject({ holder: "old", reason: "Released" });
      const grantedMs = status.hold?.acquiredMs ?? Number.NaN;
      expect(toBootMs(saidMs)).toBeGreaterThan(atMs);
      expectWithin(environment, {
        what: `${what}: from the keeper's word until the next is granted`,
        measuredMs: grantedMs - saidMs,
        boundMs: graceSeconds * 1_000 + GRANTED_WITHIN_MS,
      });
      const { old } = await handover(stage);
      expect(old.toMs).toBeGreaterThan(atMs);
    },
  }),
);

/** Resolves with the time of day at which konductor learned that the kubelet stops the holder. */
async function keeperHasSpoken(stage: Stage): Promise<number> {
  const { status } = await stage.lease(
    "the keeper of old to have said that its pod ends",
    ({ status: { hold } }) => hold?.ref.stoppingSinceMs !== undefined,
  );
  return status.hold?.ref.stoppingSinceMs ?? Number.NaN;
}
