import type { Clock } from "../shared/clock.ts";

/** How often a Lease is looked at: a look takes as long as its queue is, so that the longer it is, the rarer they are. */
export interface Pace {
  /** It was looked at just now, with so many requests. */
  looked(key: string, requests: number): void;
  /** How long it is left alone yet. */
  restMs(key: string): number;
}

/** Of shorter queues nobody notices a look. */
const SHORT = 200;
/** A look takes a tenth of it: a queue of 10,000 is looked at ten times in a second. */
const REST_MS_PER_REQUEST = 0.01;

export function createPace(clock: Pick<Clock, "monotonicMs">): Pace {
  const untilMs = new Map<string, number>();
  return {
    looked(key, requests) {
      if (requests < SHORT) untilMs.delete(key);
      else untilMs.set(key, clock.monotonicMs() + requests * REST_MS_PER_REQUEST);
    },
    restMs: (key) => Math.max(0, (untilMs.get(key) ?? 0) - clock.monotonicMs()),
  };
}
