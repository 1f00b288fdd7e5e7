import { formatDuration } from "../lease/duration.ts";
import { waitingInOrder } from "../lease/order.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import { formatAge } from "../shared/age.ts";
import { formatFields, formatTable } from "./table.ts";

/** The phase as the API has it. */
export function phaseOf({ status }: Lease): "Available" | "Held" | "Expired" {
  if (!status.hold) return "Available";
  return status.hold.expired ? "Expired" : "Held";
}

/** What `koncli lease list` prints; `withNamespace` adds the namespace, `wide` what is rarely needed. */
export function leaseTable(
  leases: readonly Lease[],
  { nowMs, withNamespace, wide }: { nowMs: number; withNamespace: boolean; wide: boolean },
): string {
  const headings = [
    ...(withNamespace ? ["NAMESPACE"] : []),
    ...["NAME", "PHASE", "HOLDER", "EXPIRES IN", "TTL", "WAITERS", "TOKEN", "PAUSED", "AGE"],
    ...(wide ? ["NODE", "RENEWALS", "PRIORITY", "MIN INTERVAL", "MAX WAITING"] : []),
  ];
  const rows = leases.map((lease) => {
    const { hold, waiters, lastToken } = lease.status;
    return [
      ...(withNamespace ? [lease.namespace] : []),
      lease.name,
      phaseOf(lease),
      hold?.holder ?? "",
      hold ? formatAge(hold.expiresMs - nowMs) : "",
      formatDuration(lease.spec.ttlMs),
      String(waiters),
      lastToken === undefined ? "" : String(lastToken),
      lease.spec.paused ? "true" : "",
      formatAge(nowMs - lease.createdMs),
      ...(wide
        ? [
            ...[hold?.ref.node ?? "", hold ? String(hold.renewals) : "", String(lease.spec.priority)],
            ...ruleCells(lease),
          ]
        : []),
    ];
  });
  return formatTable(headings, rows);
}

/** What its owner has set of minInterval and maxWaiting. */
function ruleCells({ spec: { minIntervalMs, maxWaiting } }: Lease): [string, string] {
  return [
    minIntervalMs === undefined ? "" : formatDuration(minIntervalMs),
    maxWaiting === undefined ? "" : String(maxWaiting),
  ];
}

/** How many names to show where there may be hundreds. */
const SHOWN = 3;

/** The first of `names`, and how many more there are. */
export function headOf(names: readonly string[]): string {
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more}`;
}

/** What `koncli lease status NAME` prints. `holderNote`: what is known of the holder beside its name. */
export function leaseStatusText(
  lease: Lease,
  requests: readonly LeaseRequest[],
  { nowMs, holderNote }: { nowMs: number; holderNote: string | undefined },
): string {
  const { hold, lastToken, conditions } = lease.status;
  const waiting = waitingInOrder(lease, requests);
  const fields: [string, string][] = [
    ["Name", lease.name],
    ["Namespace", lease.namespace],
    ["Phase", phaseOf(lease)],
    ["TTL", formatDuration(hold?.ttlMs ?? lease.spec.ttlMs)],
    ["Token", lastToken === undefined ? "never granted" : String(lastToken)],
  ];
  if (hold) {
    fields.push(
      ["Holder", holderNote === undefined ? hold.holder : `${hold.holder} (${holderNote})`],
      ["Acquired", `${new Date(hold.acquiredMs).toISOString()} (${formatAge(nowMs - hold.acquiredMs)} ago)`],
      ["Expires", `${new Date(hold.expiresMs).toISOString()} (${expiry(hold.expiresMs - nowMs)})`],
      ["Renewals", String(hold.renewals)],
    );
  }
  for (const { type, status, reason, message } of conditions) {
    if (status === "True" && type !== "Ready" && type !== "Held")
      fields.push([type, `${message} (${reason})`]);
  }
  const [minInterval, maxWaiting] = ruleCells(lease);
  if (minInterval !== "") fields.push(["Min interval", minInterval]);
  if (maxWaiting !== "") fields.push(["Max waiting", maxWaiting]);
  const rule = heldBack(lease, nowMs);
  if (rule?.untilMs !== undefined) fields.push(["Held back", rule.why]);
  const waiters = waiting.map(({ spec }) => spec.holder);
  fields.push(["Waiting", waiters.length === 0 ? "nobody" : `${waiters.length}: ${headOf(waiters)}`]);
  return formatFields(fields);
}

function expiry(leftMs: number): string {
  return leftMs >= 0 ? `in ${formatAge(leftMs)}` : `${formatAge(-leftMs)} ago`;
}
