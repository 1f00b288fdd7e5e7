/**
 * Holds of a deleted Lease. A Lease that was never granted may have had a predecessor of the same name, and waits for whoever may
 * still run under that one. Such holds are known from requests that show a grant, and from pods that are past their gate.
 */

import { passedToken } from "../shared/names.ts";
import { EXPIRY_ALLOWANCE_MS, TERMINATION_ALLOWANCE_MS } from "./decision.ts";
import { type Evidence, isProven, lastSeen, mayStartPods } from "./evidence.ts";
import type { PodView } from "./pod.ts";
import { mayRunUnrecorded } from "./proof.ts";
import type { HolderRef, Lease, LeaseRequest } from "./types.ts";

export interface UnrecordedInput {
  lease: Lease;
  evidenceOf(ref: HolderRef): Evidence;
  /** Whether a hold that only this request records is over by now, whatever its holder does. */
  hasLapsed(request: LeaseRequest): boolean;
}

/** Whether `lease` was granted before, and so records every hold itself. */
const recordsHolds = ({ status }: Lease) => status.lastToken !== undefined;

/** Whether a request that shows a grant tells of a hold that `lease` does not record, and under which its claimant may still run. */
export function isUnrecordedHold(
  { lease, evidenceOf, hasLapsed }: UnrecordedInput,
  request: LeaseRequest,
): boolean {
  const {
    spec: { ref },
    status,
    terminating,
  } = request;
  if (recordsHolds(lease) || status.phase !== "Granted") return false;
  // Only its release or its ttl proves that a client has ended.
  if (!ref) return !terminating && !hasLapsed(request);
  const known = evidenceOf(ref);
  // The Job's existing pods are counted separately.
  if (ref.kind === "Job") return mayStartPods(known) || !hasLapsed(request);
  // The request knows the newest hold; a pod's status may still be about an earlier run.
  return !isProven(known, status.token ?? passedToken(lastSeen(known)?.gate?.message) ?? Number.NaN);
}

/** Those of the pods labelled for `lease` that may be running under a hold that it does not record. */
export function unrecordedPods(lease: Lease, pods: readonly PodView[]): PodView[] {
  return recordsHolds(lease) ? [] : pods.filter(mayRunUnrecorded);
}

interface Claimants {
  pods: readonly PodView[];
  requests: readonly LeaseRequest[];
}

const MOST_NAMED = 10;

/**
 * Of the pods and Jobs that {@link countHolders} counts, those that run on although their ttl and grace period have passed since `lease` was
 * created: who they are, and what to do. Undefined: there are none. For people, so the time of day may decide.
 */
export function describeOverdue(
  input: UnrecordedInput,
  { pods, requests }: Claimants,
  nowMs: number,
): string | undefined {
  const { lease } = input;
  const running = unrecordedPods(lease, pods);
  const held = requests.filter((request) => request.spec.ref && isUnrecordedHold(input, request));
  const names = new Map(held.map(({ uid, spec: { ref } }) => [ref?.uid ?? uid, `${ref?.kind} ${ref?.name}`]));
  for (const { uid, name, node = "unknown" } of running) names.set(uid, `Pod ${name} on node ${node}`);
  const ttlMs = Math.max(
    lease.spec.ttlMs,
    ...held.map(({ spec, status }) => status.holdTtlMs ?? spec.ttlMs ?? 0),
  );
  const graceMs = 1_000 * Math.max(0, ...running.map(({ graceSeconds }) => graceSeconds));
  const endsByMs = lease.createdMs + ttlMs + EXPIRY_ALLOWANCE_MS + graceMs + TERMINATION_ALLOWANCE_MS;
  if (names.size === 0 || nowMs < endsByMs) return undefined;
  const sorted = [...names.values()].sort();
  const more = sorted.length > MOST_NAMED ? ` and ${sorted.length - MOST_NAMED} more` : "";
  return (
    `nothing proves the end of those who held a deleted klease of this name (${sorted.slice(0, MOST_NAMED).join(", ")}${more}): ` +
    "if the node is off, taint it with node.kubernetes.io/out-of-service; otherwise make sure that their containers have stopped, " +
    "then run kubectl delete pod POD --grace-period=0 --force"
  );
}

/** How many of the pods and requests for a Lease may stand for a hold that it does not record. */
export function countHolders(input: UnrecordedInput, { pods, requests }: Claimants): number {
  const held = requests.filter((request) => isUnrecordedHold(input, request));
  const uids = held.map(({ uid, spec: { ref } }) => ref?.uid ?? uid);
  return new Set([...unrecordedPods(input.lease, pods).map(({ uid }) => uid), ...uids]).size;
}
