import { formatDuration } from "../lease/duration.ts";
import { waitingInOrder } from "../lease/order.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import { formatAge } from "./age.ts";
import { formatFields, formatTable } from "./table.ts";

/** The phase as the API has it. */
export function phaseOf({ status }: Lease): "Available" | "Held" | "Expired" {
  if (!status.hold) return "Available";
  return status.hold.expired ? "Expired" : "Held";
}

/** What `koncli lease list` prints; `withNamespace` for all namespaces, `wide` adds what is rarely asked for. */
export function leaseTable(
  leases: readonly Lease[],
  { nowMs, withNamespace, wide }: { nowMs: number; withNamespace: boolean; wide: boolean },
): string {
  const headings = [
    ...(withNamespace ? ["NAMESPACE"] : []),
    ...["NAME", "PHASE", "HOLDER", "EXPIRES IN", "TTL", "WAITERS", "TOKEN", "AGE"],
    ...(wide ? ["NODE", "RENEWALS", "PRIORITY"] : []),
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
      formatAge(nowMs - lease.createdMs),
      ...(wide ? [hold?.ref.node ?? "", hold ? String(hold.renewals) : "", String(lease.spec.priority)] : []),
    ];
  });
  return formatTable(headings, rows);
}

/** How many waiters `status` names. */
const SHOWN_WAITERS = 3;

/** What `koncli lease status NAME` prints. `holderPod`: the phase of the holder's pod, or that it is gone. */
export function leaseStatusText(
  lease: Lease,
  requests: readonly LeaseRequest[],
  { nowMs, holderPod }: { nowMs: number; holderPod: string | undefined },
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
      ["Holder", holderPod === undefined ? hold.holder : `${hold.holder} (pod ${holderPod})`],
      ["Acquired", `${new Date(hold.acquiredMs).toISOString()} (${formatAge(nowMs - hold.acquiredMs)} ago)`],
      ["Expires", `${new Date(hold.expiresMs).toISOString()} (${expiry(hold.expiresMs - nowMs)})`],
      ["Renewals", String(hold.renewals)],
    );
  }
  for (const { type, reason, message } of conditions) {
    if (type !== "Ready") fields.push([type, `${message} (${reason})`]);
  }
  const shown = waiting.slice(0, SHOWN_WAITERS).map(({ spec }) => spec.holder);
  const more = waiting.length > shown.length ? `, and ${waiting.length - shown.length} more` : "";
  fields.push(["Waiting", waiting.length === 0 ? "nobody" : `${waiting.length}: ${shown.join(", ")}${more}`]);
  return formatFields(fields);
}

function expiry(leftMs: number): string {
  return leftMs >= 0 ? `in ${formatAge(leftMs)}` : `${formatAge(-leftMs)} ago`;
}
