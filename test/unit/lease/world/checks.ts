/** Invariants that are looked at while an arbiter decides: I4 (order) and I5 (steadiness). */
import { isDeepStrictEqual } from "node:util";
import { decide } from "../../../../src/lease/decide.ts";
import type { Decision, Situation } from "../../../../src/lease/decision.ts";
import { canUseJob } from "../../../../src/lease/job.ts";
import type { Lease, LeaseRequest } from "../../../../src/lease/types.ts";
import { type Api, Broken } from "./api.ts";

/** I4: what is granted from an up-to-date view is the first that can use it. Written anew, so as not to trust the comparator. */
export function checkOrder(api: Api, lease: Lease, granted: LeaseRequest): void {
  const eligible = [...api.requests().values()].filter(({ spec, status }) => {
    const pod = spec.ref && api.pods().get(spec.ref.uid);
    const isAlive = pod && pod.deletionMs === undefined && !["Succeeded", "Failed"].includes(pod.phase);
    const job = spec.ref && api.jobs().get(spec.ref.uid);
    return status.phase === "Pending" && status.reason === undefined && (isAlive || (job && canUseJob(job)));
  });
  const rank = ({ spec, name }: LeaseRequest) =>
    [9_999 - (spec.priority ?? lease.spec.priority), spec.requestedAtMs, name].join("/");
  const first = eligible.map(rank).sort()[0];
  if (first !== rank(granted)) throw new Broken(`I4: granted ${rank(granted)} before ${first}`);
}

/** I5: a write changes something, and what follows from it never leads back. */
export function checkStable(situation: Situation, decision: Decision): void {
  const seen = [situation.lease.status];
  let asked = situation;
  let next = decision;
  while (next.do === "write") {
    const { status, granted, passOver } = next;
    if (seen.some((earlier) => isDeepStrictEqual(earlier, status)))
      throw new Broken(`I5: ${next.why} leads back`);
    if (seen.push(status) > 6) throw new Broken("I5: writes without end");
    const before = asked.lease.status.hold;
    const isNewHold = status.hold?.token !== before?.token;
    const isRenewed = status.hold?.expiresMs !== before?.expiresMs;
    asked = {
      ...asked,
      lease: { ...asked.lease, status },
      requests: asked.requests.map((request) => {
        if (request.uid === granted?.uid) return { ...request, status: { phase: "Granted" } };
        if (request.uid === passOver?.uid)
          return { ...request, status: { phase: "Pending", reason: "NotConfirmed" } };
        return request;
      }),
      ...(isRenewed && { timers: { ...asked.timers, silentForMs: 0 } }),
      ...(isNewHold && {
        timers: { heldForMs: 0, silentForMs: 0, expiredForMs: 0, endingForMs: 0, idleForMs: 0 },
      }),
    };
    next = decide(asked);
  }
}
