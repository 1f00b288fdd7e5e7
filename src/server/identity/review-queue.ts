/**
 * Which tokens are reviewed first. Each unknown token costs the API server a review, and whoever reaches our port can make up any number of
 * them. So few are reviewed at a time, and those with a valid signature, which nobody can make up, never wait for the others.
 */
import { KonductorError } from "../../shared/errors.ts";

/** `signed`: by a key that the API server publishes; `claimed`: it names a pod that waits or holds; `unknown`: neither. */
export type Standing = "signed" | "claimed" | "unknown";

/** How many tokens of each standing are reviewed at a time, and how many may wait for that. */
const LIMITS: Readonly<Record<Standing, { atATime: number; waiting: number }>> = {
  signed: { atATime: 32, waiting: 10_000 },
  claimed: { atATime: 8, waiting: 1_000 },
  unknown: { atATime: 4, waiting: 100 },
};

export interface ReviewQueue {
  /** Does `review` when its turn has come. Throws NotReady where too many of its standing wait already; else what `review` throws. */
  run<T>(standing: Standing, review: () => Promise<T>): Promise<T>;
}

export function createReviewQueue(): ReviewQueue {
  const lanes = { signed: newLane(), claimed: newLane(), unknown: newLane() };
  return {
    async run(standing, review) {
      const lane = lanes[standing];
      const { atATime, waiting } = LIMITS[standing];
      if (lane.busy >= atATime) {
        if (lane.waiting.size >= waiting)
          throw new KonductorError("NotReady", "too many tokens wait to be reviewed; try again");
        await new Promise<void>((resolve) => lane.waiting.add(resolve));
      } else lane.busy++;
      try {
        return await review();
      } finally {
        const [next] = lane.waiting;
        if (next) {
          lane.waiting.delete(next);
          next();
        } else lane.busy--;
      }
    },
  };
}

function newLane() {
  return { busy: 0, waiting: new Set<() => void>() };
}
