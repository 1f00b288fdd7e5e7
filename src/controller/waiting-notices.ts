/**
 * Tells who waits for a Lease why, by events on the pod or Job, or on a client's LeaseRequest: `Waiting` while it lasts, and then `Granted`,
 * `TimedOut`, `QueueFull` or `AlreadyDone`. A pod that was fenced, and whose gate may have reached no replica, is told so as well. All of
 * that is for people: nothing rests on it, and an arbiter that dies may leave one out. `Granted` follows a `Waiting` that was written, by
 * whatever arbiter.
 *
 * Only the arbiter tells. What is due follows from the requests' age, so a new arbiter goes on where the last one ended. It tells the latest
 * notice of everybody again, since nobody knows what the last one has told: it is the same event. What fell due while it took over comes first.
 */
import type { EventRecorder, EventReport } from "../kube/events.ts";
import { tokensOf } from "../lease/hold.ts";
import { aboutPod, aboutRequest } from "../lease/log-fields.ts";
import { DONE_WITHOUT_JOB } from "../lease/once.ts";
import { isWaiting, NOT_CONFIRMED, type Place, waitingInOrder, wasGranted } from "../lease/order.ts";
import { QUEUE_FULL } from "../lease/policies/max-waiting.ts";
import { keyOf, type Lease, type LeaseRequest, type PastHold } from "../lease/types.ts";
import { type Notice, noticeDue, noticesBefore } from "../lease/waiting-notice.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import {
  doneWithoutJobEvent,
  fencedEvent,
  grantedEvent,
  queueFullEvent,
  timedOutEvent,
  waitingEvent,
} from "../objects/claimant-events.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
import { EXIT } from "../shared/names.ts";

/** What a pod or a client that waited is told, by the reason of its denial. */
const DENIALS: Readonly<
  Record<string, (request: LeaseRequest, lease: Lease | undefined, nowMs: number) => EventReport>
> = { TimedOut: timedOutEvent, [QUEUE_FULL]: queueFullEvent, [DONE_WITHOUT_JOB]: doneWithoutJobEvent };

/** How late a notice may be. A look at 10,000 who wait takes a few milliseconds. */
const LOOK_EVERY_MS = 2_000;
/** Longer than it takes to elect another arbiter. */
const TAKE_OVER_MS = 30_000;
/** How many notices of a namespace wait for their turn: as many as can be told until the next look, since what they say becomes old. */
const PLANNED_LIMIT = 20;

export interface WaitingNoticesOptions {
  caches: Pick<Caches, "leases" | "requests" | "pods">;
  events: Pick<EventRecorder, "record" | "recordInTurn" | "waiting">;
  clock: Clock;
  logger: Logger;
  isLeading(): boolean;
}

export interface WaitingNotices {
  /** Tells until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface Due {
  request: LeaseRequest;
  notice: Notice;
}

export function createWaitingNotices({
  caches,
  events,
  clock,
  logger,
  isLeading,
}: WaitingNoticesOptions): WaitingNotices {
  /** The number of the last notice that was planned, by uid of the request; none of a request that is gone. */
  const told = new Map<string, number>();
  /** As found since the last look. */
  let placesOf = createPlaces(caches);
  const leaseOf = ({ namespace, spec }: LeaseRequest) =>
    caches.leases.store.get(`${namespace}/${spec.lease}`);

  caches.requests.subscribe(({ type, object, old }) => {
    if (type === "deleted") told.delete(object.uid);
    const { phase, reason } = object.status;
    if (!isLeading() || !old || reason === old.status.reason) return;
    if (isWaiting(object) && reason === NOT_CONFIRMED) return correct(object);
    const tell = phase === "Denied" && DENIALS[reason ?? ""];
    if (!tell) return;
    const event = tell(object, leaseOf(object), clock.nowMs());
    logger.info({ ...aboutRequest(object), reason: event.reason }, event.message);
    events.record(event);
  });

  /** Its grant was taken back, of which the last event may still tell. */
  function correct(request: LeaseRequest): void {
    const correction = correctionOf(request, leaseOf(request));
    if (correction !== undefined) tellWaiting(request, correction);
  }

  caches.leases.subscribe(({ object: lease, old }) => {
    const { hold } = lease.status;
    if (!isLeading() || !hold || hold.token === old?.status.hold?.token) return;
    const request = caches.requests.store
      .byIndex(BY_LEASE, keyOf(lease))
      .find((one) => wasGranted(one, lease));
    if (!request) return;
    const correction = correctionOf(request, lease);
    const told = [
      ...noticesBefore(request, hold.acquiredMs).map(String),
      ...(correction === undefined ? [] : [correction]),
    ];
    if (told.length > 0) events.record(grantedEvent(request, lease, hold, told));
  });

  // Without a way to a replica, a pod that must not run again fails unheard.
  caches.pods.subscribe(({ object: pod, old }) => {
    if (!isLeading() || !old || old.gate?.exitCode === EXIT.lost || pod.gate?.exitCode !== EXIT.lost) return;
    const { namespace, lease = "" } = pod;
    const klease = caches.leases.store.get(`${namespace}/${lease}`);
    const [token] = tokensOf(klease, pod);
    if (token === undefined) return;
    const isHeard = klease?.status.history.some((past) => past.token === token && past.reason === "Fenced");
    if (!isHeard)
      logger.info(
        { ...aboutPod(pod), token, reason: "Fenced" },
        "the pod was fenced, and fails: its gate ended as lost",
      );
    events.record(fencedEvent(pod, { lease, token, runsAgain: false }));
  });

  function findDue(): Map<string, Due[]> {
    const nowMs = clock.nowMs();
    const due = new Map<string, Due[]>();
    for (const request of caches.requests.store.list()) {
      const lease = leaseOf(request);
      const notice = lease && noticeDue(request, lease, nowMs);
      if (!notice) continue;
      if (notice.number <= (told.get(request.uid) ?? -1)) continue;
      const others = due.get(request.namespace);
      if (others) others.push({ request, notice });
      else due.set(request.namespace, [{ request, notice }]);
    }
    return due;
  }

  /** What fell due before `sinceMs` has probably been told. */
  function look(sinceMs: number): void {
    placesOf = createPlaces(caches);
    const isOld = ({ notice }: Due) => notice.dueMs < sinceMs;
    // A client is told by its own program, too. Its requests cost nothing, and must not keep pods from being told.
    const isClient = ({ request }: Due) => !request.spec.ref;
    for (const [namespace, due] of findDue()) {
      const room = Math.max(0, PLANNED_LIMIT - events.waiting(namespace));
      const inOrder = (a: Due, b: Due) =>
        Number(isClient(a)) - Number(isClient(b)) ||
        Number(isOld(a)) - Number(isOld(b)) ||
        a.notice.dueMs - b.notice.dueMs;
      const first = due.sort(inOrder).slice(0, room);
      for (const { request, notice } of first)
        if (tellWaiting(request, String(notice.number))) told.set(request.uid, notice.number);
    }
  }

  /** `what`: the number of the notice, or another name of what is told. */
  function tellWaiting({ namespace, name, uid }: LeaseRequest, what: string): boolean {
    return events.recordInTurn(namespace, () => {
      const request = caches.requests.store.get(`${namespace}/${name}`);
      const lease = request && leaseOf(request);
      const stillWaits = request?.uid === uid && isWaiting(request) && !wasGranted(request, lease);
      if (!isLeading() || !lease || !stillWaits) return undefined;
      return waitingEvent(request, lease, placesOf(lease, request), what, clock.nowMs());
    });
  }

  return {
    async run(signal) {
      // What was planned in an earlier term of this replica may not have been written. What was is not written again.
      told.clear();
      const sinceMs = clock.nowMs() - TAKE_OVER_MS;
      while (!signal.aborted) {
        look(sinceMs);
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}

/** The name of the notice that a grant of `request` was taken back; undefined: none was. */
function correctionOf({ spec }: LeaseRequest, lease: Lease | undefined): string | undefined {
  const isOfGrant = ({ reason, holder }: PastHold) => reason === NOT_CONFIRMED && holder === spec.holder;
  const grant = lease?.status.history.find(isOfGrant);
  return grant && `passed ${grant.token}`;
}

/** Places in the queues, each of which is sorted once, and again after a grant or for who has come since. */
function createPlaces(
  caches: WaitingNoticesOptions["caches"],
): (lease: Lease, request: LeaseRequest) => Place {
  const queues = new Map<string, { token: number | undefined; positions: Map<string, number> }>();
  return (lease, { uid }) => {
    const token = lease.status.hold?.token;
    let queue = queues.get(lease.uid);
    if (!queue?.positions.has(uid) || queue.token !== token) {
      const waiting = waitingInOrder(lease, caches.requests.store.byIndex(BY_LEASE, keyOf(lease)));
      const others = waiting.filter((request) => !wasGranted(request, lease));
      queue = { token, positions: new Map(others.map((request, index) => [request.uid, index + 1])) };
      queues.set(lease.uid, queue);
    }
    return { position: queue.positions.get(uid) ?? 1, of: Math.max(1, queue.positions.size) };
  };
}
