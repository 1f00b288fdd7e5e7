/**
 * Pods that run under the hold of their Job (`gate: job`). Their gates are let through while the Job holds; otherwise they wait. (The
 * arbiter suspends a Job that does not hold, and the Job controller then deletes its pods.)
 */

import { memberOf, openHoldOf, removeMember } from "../../../lease/hold.ts";
import { mayJoin } from "../../../lease/hold-renewal.ts";
import { requestName } from "../../../lease/naming.ts";
import type { PodView } from "../../../lease/pod.ts";
import { type Hold, keyOf, type Lease } from "../../../lease/types.ts";
import { isLaterRun } from "../../../shared/gate-run.ts";
import { holdLimits } from "../hold/renew-for-pod.ts";
import { updateLease } from "../hold/update-lease.ts";
import type { GateApiContext } from "../options.ts";
import { createWaitingLines } from "../wire/answers.ts";
import type { LineStream } from "./line-stream.ts";
import type { QueueView } from "./queue-view.ts";
import { ASK_AGAIN, RECONNECT, SPEAK_EVERY_MS } from "./wait.ts";
import type { Waiter, Waiters } from "./waiters.ts";

/**
 * The hold that the pod's gate may confirm now, looked up live; undefined where the gate must wait. A gate that runs again proves that main
 * of its earlier run has ended: a pod that must wait then leaves the hold's list, and does not delay its end. A late request of the very
 * run that let main through proves nothing.
 */
export function joinJobHold(
  options: GateApiContext,
  pod: PodView,
  gateRun: string | undefined,
): Promise<Hold | undefined> {
  const { namespace, lease: name = "", uid } = pod;
  return updateLease<Hold | undefined>(
    options,
    { namespace, name },
    (lease) => {
      const open = openTo(lease, pod, options);
      const hold = lease?.status.hold;
      const member = hold && memberOf(hold, uid);
      if (open || !lease || !member || !isLaterRun(gateRun, member.gateRun)) return { answer: open };
      return { answer: undefined, write: removeMember(lease.status, uid) };
    },
    { live: true },
  );
}

function openTo(
  lease: Lease | undefined,
  pod: PodView,
  { clock }: Pick<GateApiContext, "clock">,
): Hold | undefined {
  const hold = openHoldOf(lease, pod.job);
  return lease && hold && mayJoin(lease, hold, holdLimits(pod), clock.nowMs()) ? hold : undefined;
}

export interface JobWaitOptions {
  options: GateApiContext;
  waiters: Waiters;
  queue: QueueView;
  pod: PodView;
  stream: LineStream;
}

/** Tells `stream` how its Job stands until the pod may ask again, or is sent away. */
export function waitForJob({ options, waiters, queue, pod, stream }: JobWaitOptions): void {
  const { caches, clock } = options;
  const { namespace, lease = "", job } = pod;
  const key = keyOf({ namespace, name: lease });
  const waitingLine = createWaitingLines(options.trust, () => clock.nowMs());
  let stopTimer = () => {};
  let isOver = false;

  function tell(): void {
    stopTimer();
    const klease = caches.leases.store.get(key);
    const name = job && requestName(lease, { kind: "Job", uid: job.uid });
    const request = name && caches.requests.store.get(keyOf({ namespace, name }));
    stream.send(waitingLine(request ? queue.placeOf(key, request) : { position: 1, of: 1 }, klease));
    stopTimer = clock.after(SPEAK_EVERY_MS, tellAgain);
  }

  /** A Job that is deleted may leave its pods (`--cascade=orphan`), and another may adopt them: nobody else tells their gates. */
  function tellAgain(): void {
    const known = caches.pods.store.get(keyOf(pod));
    if (known?.uid === pod.uid && known.job?.uid !== job?.uid) finish(ASK_AGAIN);
    else tell();
  }

  function stop(): void {
    isOver = true;
    stopTimer();
    waiters.remove(waiter);
  }

  function finish(line: object): void {
    if (isOver) return;
    stop();
    stream.end(line, { close: line === RECONNECT });
  }

  function lookAtHold(): void {
    if (openTo(caches.leases.store.get(key), pod, options)) finish(ASK_AGAIN);
  }

  const waiter: Waiter = {
    key,
    claimant: job?.uid ?? pod.uid,
    onHolding: lookAtHold,
    onHolderChange: tellAgain,
    // Its Job's request is the arbiter's business.
    onRequestDeleted() {},
    onRequestAnswered() {},
    onPassedOver() {},
    onSentAway: () => finish(RECONNECT),
  };
  waiters.add(waiter);
  tell();
  stream.onClose(stop);
  // A change between the last look and now has been told to nobody.
  lookAtHold();
}
