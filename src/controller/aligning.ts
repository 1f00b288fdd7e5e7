import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/api.ts";
import type { Situation } from "../lease/decision.ts";
import { type FollowUp, followUps, TIMED_OUT } from "../lease/follow-ups.ts";
import { isHeldAs } from "../lease/hold.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { ALREADY_DONE, DONE_WITHOUT_JOB } from "../lease/once.ts";
import { QUEUE_FULL } from "../lease/policies/max-waiting.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { ensureClaimantRequest } from "../objects/lease-objects.ts";
import { findLease, isTerminating } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { defined } from "../shared/json.ts";
import type { ArbiterRecorder, WaitOutcome } from "./arbiter-recorder.ts";
import type { Errand, Errands } from "./errands.ts";
import type { LapseClock } from "./lapse-clock.ts";
import type { LiveRequests } from "./live-requests.ts";
import type { PassedOver } from "./passed-over.ts";

export interface AligningOptions {
  client: KubeClient;
  caches: Pick<Caches, "requests" | "leases">;
  errands: Errands;
  liveRequests: LiveRequests;
  passedOver: Pick<PassedOver, "shown">;
  lapseClock: LapseClock;
  recorder: Pick<ArbiterRecorder, "waited">;
  clock: Clock;
}

/** Brings the requests for a Lease that is otherwise at rest in line with its status: takes every one of its follow-ups. */
export type Align = (situation: Situation) => Promise<void>;

export function createAligning({
  client,
  caches,
  errands,
  liveRequests,
  passedOver,
  lapseClock,
  recorder,
  clock,
}: AligningOptions): Align {
  async function take(step: FollowUp, lease: Lease): Promise<void> {
    switch (step.do) {
      case "deny":
        await liveRequests.mark(step.request, step.status);
        return recorder.waited(
          OUTCOMES[step.status.reason ?? ""] ?? "refused",
          clock.nowMs() - step.request.spec.requestedAtMs,
          step.request,
        );
      case "mark":
        return liveRequests.mark(step.request, step.status);
      case "delete":
        return liveRequests.remove(step.request);
      case "queueAgain":
        return liveRequests.queueAgain(step.request, step.ref);
      case "putBack":
        return putBack(step, lease);
    }
  }

  async function putBack(
    { name, ref, holder }: FollowUp & { do: "putBack" },
    { namespace, name: lease, status }: Lease,
  ): Promise<void> {
    if (await isTerminating(client, namespace)) return;
    const requestedAtMs = status.hold?.acquiredMs ?? clock.nowMs();
    const claimant = { kind: ref.kind, name: ref.name, uid: ref.uid };
    const spec = { lease, holder, ref: claimant, requestedAtMs, ...defined({ once: status.hold?.once }) };
    caches.requests.apply(await ensureClaimantRequest(client, { namespace, name, spec }));
  }

  /** Whether its status says the same of every request. Renewals may come faster than looks. */
  async function isUnchanged(lease: Lease): Promise<boolean> {
    const live = await findLease(client, caches.leases, lease);
    return (
      live !== undefined && isHeldAs(lease, live) && isDeepStrictEqual(lease.status.done, live.status.done)
    );
  }

  /** As they are now, with the marks that could not be written: these stand nowhere but in memory. */
  async function lookAtAll({ lease, requests }: Situation): Promise<LeaseRequest[]> {
    return (await liveRequests.lookAtAll(lease, requests)).map(passedOver.shown);
  }

  return async (situation) => {
    const { lease } = situation;
    const hasLapsed = (request: LeaseRequest) => lapseClock.hasLapsed(request, lease.spec.ttlMs);
    const seen = { ...situation, hasLapsed };
    const key = keyOf(lease);
    // What rests after a failure costs no look.
    const isDue = (step: FollowUp) => !errands.rests({ key, ...errandOf(step) });
    const found = followUps(seen).filter(isDue);
    // Nobody is turned away for the sake of those who wait no more: the cache may still show them.
    const steps = found.some(turnsAway)
      ? followUps({ ...seen, requests: await lookAtAll(situation) }).filter(isDue)
      : found;
    // The cache may still show a holder that has released, or not show a new one yet. One look at the klease serves all steps,
    // because it comes after every request was seen.
    if (steps.length === 0 || !(await isUnchanged(lease))) return;
    await errands.runEach(steps, (step) => errands.run({ key, ...errandOf(step) }, () => take(step, lease)));
  };
}

const turnsAway = (step: FollowUp) => step.do === "deny" && step.status.reason === QUEUE_FULL;

const OUTCOMES: Readonly<Record<string, WaitOutcome>> = {
  [TIMED_OUT.reason]: "timed_out",
  [QUEUE_FULL]: "queue_full",
  [ALREADY_DONE]: "already_done",
  [DONE_WITHOUT_JOB]: "already_done",
};

/** What is to be done, and to which object: another status of the same request is another errand. */
function errandOf(step: FollowUp): Omit<Errand, "key"> {
  if (step.do === "putBack")
    return { what: step.do, uid: step.ref.uid, about: { holder: step.holder, request: step.name } };
  const { uid } = step.request;
  const what = "status" in step ? `${step.do} ${step.status.phase}` : step.do;
  return { what, uid, about: aboutRequest(step.request) };
}
