import type { Clock } from "../shared/clock.ts";

/** How often a Lease is looked at: the longer its queue, the longer a look takes, and the rarer looks become. */
export interface Pace {
  /** It was looked at just now, with this many requests. */
  looked(key: string, requests: number): void;
  /** How much longer it is left alone. */
  restMs(key: string): number;
}

/** Nobody notices a look at a shorter queue. */
const SHORT = 200;
/** A look takes a tenth of this rest. A queue of 10,000 is looked at ten times in a second. */
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
