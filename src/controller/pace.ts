import type { Clock } from "../shared/clock.ts";

/** How often a Lease is looked at: the more objects it has, the longer a look takes, and the rarer looks become. */
export interface Pace {
  /** It was looked at just now, with this many requests, pods and Jobs. */
  looked(key: string, objects: number): void;
  /** How much longer it is left alone. */
  restMs(key: string): number;
}

/** Nobody notices a look at fewer objects. */
const FEW = 200;
/** A look takes a tenth of this rest. A Lease with 10,000 objects is looked at ten times in a second. */
const REST_MS_PER_OBJECT = 0.01;

export function createPace(clock: Pick<Clock, "monotonicMs">): Pace {
  const untilMs = new Map<string, number>();
  return {
    looked(key, objects) {
      if (objects < FEW) untilMs.delete(key);
      else untilMs.set(key, clock.monotonicMs() + objects * REST_MS_PER_OBJECT);
    },
    restMs: (key) => Math.max(0, (untilMs.get(key) ?? 0) - clock.monotonicMs()),
  };
}
