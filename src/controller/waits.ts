import { aboutRequest } from "../lease/log-fields.ts";
import { isWaiting, waitsUntilMs, wasGranted } from "../lease/order.ts";
import { type Hold, keyOf, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { formatAge } from "../shared/age.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";

const REMEMBERED_GRANTS = 10_000;

/** Counts the waits that a grant ends, and those that end because their request is deleted, by whomever. */
export interface Waits {
  /** Its wait ends with its first grant, also if that is taken back because nobody confirms it. */
  granted(request: LeaseRequest, hold: Pick<Hold, "acquiredMs">): void;
}

export function createWaits({
  caches,
  recorder,
  clock,
  logger,
  isLeading,
}: {
  caches: Pick<Caches, "leases" | "requests">;
  recorder: Pick<ArbiterRecorder, "waited">;
  clock: Pick<Clock, "nowMs">;
  logger: Logger;
  isLeading(): boolean;
}): Waits {
  /** By uid. A request that is deleted after its hold may still seem to wait. */
  const granted = new LruMap<string, true>(REMEMBERED_GRANTS);

  caches.requests.subscribe(({ type, object }) => {
    const { namespace, uid, spec } = object;
    // Until it was deleted it waited.
    const waiting = { ...object, terminating: false };
    if (type !== "deleted" || !isLeading() || !isWaiting(waiting) || granted.get(uid)) return;
    if (wasGranted(object, caches.leases.store.get(keyOf({ namespace, name: spec.lease })))) return;
    const nowMs = clock.nowMs();
    const waitedMs = nowMs - spec.requestedAtMs;
    const isTimedOut = waitsUntilMs(waiting) < nowMs;
    recorder.waited(isTimedOut ? "timed_out" : "withdrawn", waitedMs, object);
    if (isTimedOut)
      logger.info(
        { ...aboutRequest(object), reason: "TimedOut" },
        `waited for klease ${spec.lease} for ${formatAge(waitedMs)} in vain: its request is deleted`,
      );
  });

  return {
    granted(request, { acquiredMs }) {
      const { uid, spec } = request;
      if (granted.get(uid)) return;
      granted.set(uid, true);
      recorder.waited("granted", acquiredMs - spec.requestedAtMs, request);
    },
  };
}
