/** Prints from kleases and their requests who waits, in which place, who acquires and who releases. */
import { waitingInOrder } from "../../src/lease/order.ts";
import type { Lease, LeaseRequest, PastHold } from "../../src/lease/types.ts";
import { formatSeconds, type Tell } from "./timeline.ts";

export interface QueueStory {
  /** Call whenever the klease, or one of its requests, may have changed. `requests`: all requests of the klease. */
  update(lease: Lease, requests: readonly LeaseRequest[]): void;
  /** How long a holder had waited when it acquired. */
  waitedMs(holder: string): number | undefined;
}

/** `exerciseName` returns the exercise that uses a klease. Each change is printed once, also if several arrive together. */
export function createQueueStory({
  exerciseName,
  tell,
}: {
  exerciseName: (lease: string) => string;
  tell: Tell;
}): QueueStory {
  const lastAcquired = new Map<string, number>();
  const lastReleased = new Map<string, number>();
  const places = new Map<string, number>();
  const requestedAtMs = new Map<string, number>();
  const waited = new Map<string, number>();

  function tellAcquired(
    lease: Lease,
    { holder, token, acquiredMs }: Pick<PastHold, "holder" | "token" | "acquiredMs">,
  ) {
    if (token <= (lastAcquired.get(lease.name) ?? 0)) return;
    lastAcquired.set(lease.name, token);
    const askedMs = requestedAtMs.get(holder);
    if (askedMs !== undefined) waited.set(holder, Math.max(0, acquiredMs - askedMs));
    const exercise = exerciseName(lease.name);
    tell({ exercise, subject: holder, text: `acquired klease ${lease.name}, token ${token}`, tone: "cyan" });
  }

  function tellEnded(lease: Lease, past: PastHold): void {
    if (past.token <= (lastReleased.get(lease.name) ?? 0)) return;
    lastReleased.set(lease.name, past.token);
    const isOrderly = past.reason === "Released" || past.reason === "Terminated";
    const how = isOrderly ? "released" : `lost its hold (${past.reason})`;
    const text = `${how} after ${formatSeconds(past.endedMs - past.acquiredMs)}`;
    tell({ exercise: exerciseName(lease.name), subject: past.holder, text, tone: "cyan" });
  }

  function tellPlaces({ name, spec, status }: Lease, requests: readonly LeaseRequest[]): void {
    const { hold, lastRequest } = status;
    if (!hold) return; // the first in the queue acquires in a moment
    const isServed = (request: LeaseRequest) =>
      request.uid === lastRequest || request.spec.ref?.uid === hold.ref.uid;
    const waiting = waitingInOrder({ spec }, requests).filter((request) => !isServed(request));
    for (const [index, request] of waiting.entries()) {
      const place = index + 1;
      if (places.get(request.uid) === place) continue;
      places.set(request.uid, place);
      const text = `waits, place ${place} of ${waiting.length} (held by ${hold.holder})`;
      tell({ exercise: exerciseName(name), subject: request.spec.holder, text, tone: "yellow" });
    }
  }

  return {
    update(lease, requests) {
      for (const { spec } of requests) requestedAtMs.set(spec.holder, spec.requestedAtMs);
      // The history begins with the latest hold.
      for (const past of lease.status.history.toReversed()) {
        tellAcquired(lease, past);
        tellEnded(lease, past);
      }
      if (lease.status.hold) tellAcquired(lease, lease.status.hold);
      tellPlaces(lease, requests);
    },
    waitedMs: (holder) => waited.get(holder),
  };
}
