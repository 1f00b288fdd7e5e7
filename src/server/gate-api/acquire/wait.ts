import { aboutRequest } from "../../../lease/log-fields.ts";
import { isAnswered, isDenied, wasGranted } from "../../../lease/order.ts";
import type { PodView } from "../../../lease/pod.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../../lease/types.ts";
import { describeError } from "../../../shared/errors.ts";
import { liveLease } from "../hold/update-lease.ts";
import type { GateApiOptions } from "../options.ts";
import { createWaitingLines, grantedLine } from "../wire/answers.ts";
import { deniedLine } from "./denial.ts";
import type { LineStream } from "./line-stream.ts";
import { findOwnHold } from "./own-hold.ts";
import type { QueueView } from "./queue-view.ts";
import type { Waiter, Waiters } from "./waiters.ts";

/** The gate gives a connection up after 20 s of silence. */
export const SPEAK_EVERY_MS = 15_000;

/** Sends a gate to another replica, and ends its connection. */
export const RECONNECT = { state: "reconnect" };
/** Asks a gate to ask again, here or elsewhere. */
export const ASK_AGAIN = { state: "reconnect", elsewhere: false };

export interface WaitOptions {
  options: GateApiOptions;
  waiters: Waiters;
  queue: QueueView;
  pod: PodView;
  request: LeaseRequest;
  stream: LineStream;
}

/** Tells `stream` how the pod's request stands until it is granted, denied or withdrawn, the gate is sent away, or the stream is closed. */
export function wait({ options, waiters, queue, pod, request, stream }: WaitOptions): void {
  const { caches, clock, logger, trust } = options;
  const key = keyOf({ namespace: pod.namespace, name: request.spec.lease });
  const waitingLine = createWaitingLines(trust, () => clock.nowMs());
  let stopTimer = () => {};
  let isOver = false;
  let looks = Promise.resolve();

  function tell(): void {
    stopTimer();
    stream.send(waitingLine(queue.placeOf(key, request), caches.leases.store.get(key)));
    stopTimer = clock.after(SPEAK_EVERY_MS, tell);
  }

  function finish(line: object): void {
    if (isOver) return;
    stop();
    stream.end(line, { close: line === RECONNECT });
  }

  function stop(): void {
    isOver = true;
    stopTimer();
    waiters.remove(waiter);
  }

  /** Looks one after the other. If a look fails, the gate is sent to another replica, which looks anew. */
  function look(what: () => Promise<unknown>): void {
    looks = looks
      .then(async () => {
        if (!isOver) await what();
      })
      .catch((error: unknown) => {
        logger.warn({ ...aboutRequest(request), error: describeError(error) }, "a waiting gate is sent away");
        finish(RECONNECT);
      });
  }

  async function lookAtHold(): Promise<Lease | undefined> {
    const lease = await liveLease(options, { namespace: pod.namespace, name: request.spec.lease });
    const own = findOwnHold(lease, pod);
    if (own.is === "granted") finish(grantedLine(own.hold, trust()));
    // Another connection of this pod's gate was answered, or its gate runs again: the gate that is alive will ask again.
    if (own.is === "inUse") finish(ASK_AGAIN);
    return lease;
  }

  /**
   * A hold takes precedence over a denial: an arbiter that is being replaced may have denied what the next one granted. A grant that the
   * Lease does not show is over, or was deleted with the Lease. Its request is then the trace of a hold to everybody but a gate that asks.
   */
  async function lookAtAnswer(answered: LeaseRequest): Promise<void> {
    const lease = await lookAtHold();
    finish(isDenied(answered) ? deniedLine(answered, lease, clock.nowMs()) : ASK_AGAIN);
  }

  /** konductor itself deletes a request that had its hold; the Lease then shows the hold. */
  async function lookAtDeletion(last: LeaseRequest | undefined): Promise<void> {
    const lease = await liveLease(options, { namespace: pod.namespace, name: request.spec.lease });
    const hadHold = wasGranted(request, lease) || findOwnHold(lease, pod).is !== "none";
    if (hadHold || last?.status.phase !== "Pending") return finish(ASK_AGAIN);
    finish({
      state: "denied",
      reason: "Withdrawn",
      message: `somebody deleted request ${request.name} for klease ${request.spec.lease}`,
    });
  }

  const waiter: Waiter = {
    key,
    claimant: pod.uid,
    request,
    onHolding: () => look(lookAtHold),
    onHolderChange: tell,
    onRequestDeleted: (last) => look(() => lookAtDeletion(last)),
    onPassedOver: () => finish(ASK_AGAIN),
    onSentAway: () => finish(RECONNECT),
    onRequestAnswered: (answered) => look(() => lookAtAnswer(answered)),
  };
  waiters.add(waiter);
  tell();
  stream.onClose(stop);
  // A change between the last look and now has been told to nobody.
  if (caches.leases.store.get(key)?.status.hold?.ref.uid === pod.uid) look(lookAtHold);
  const current = caches.requests.store.get(keyOf(request));
  if (current && current.uid === request.uid && isAnswered(current)) look(() => lookAtAnswer(current));
  else if (current?.uid !== request.uid || current.status.reason !== undefined) finish(ASK_AGAIN);
}
