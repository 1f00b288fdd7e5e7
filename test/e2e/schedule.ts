/** Which scenarios run side by side: scenarios that take something away, and those that rely on it, run at different times. */

/** What scenarios can take away from each other. */
export const PARTS = ["node", "control plane", "konductor"] as const;
export type Part = (typeof PARTS)[number];
/** `machine`: no other scenario may run, because milliseconds are measured or the whole suite is looked back on. */
export type Lock = Part | "machine";

/** What one scenario needs. */
export interface Claim {
  /** Clusters on each of which the scenario can play: on another cluster it takes away nothing but the machine. */
  grounds: readonly string[];
  /** What the scenario takes away from others, or needs for itself. */
  locks: readonly Lock[];
  /** What the scenario relies on. */
  uses: readonly Part[];
}

export interface Schedule {
  /**
   * Runs `act` as soon as no running claim collides with this one on one of its grounds, and tells it which ground that is. First come, first served,
   * except for claims that collide with a running one.
   */
  run<T>(claim: Claim, act: (ground: string) => Promise<T>): Promise<T>;
}

interface Running {
  claim: Claim;
  ground: string;
}

/** `width`: how many claims run at a time on one ground. */
export function createSchedule({ width }: { width: number }): Schedule {
  const running = new Set<Running>();
  const waiting: { claim: Claim; start: (on: Running) => void }[] = [];

  function isFree(ground: string, claim: Claim): boolean {
    const isFull = [...running].filter((other) => other.ground === ground).length >= width;
    return !isFull && ![...running].some((other) => collide({ claim, ground }, other));
  }

  function startWhatCan(): void {
    for (const entry of [...waiting]) {
      const ground = entry.claim.grounds.find((each) => isFree(each, entry.claim));
      if (ground === undefined) continue;
      const started = { claim: entry.claim, ground };
      waiting.splice(waiting.indexOf(entry), 1);
      running.add(started);
      entry.start(started);
    }
  }

  return {
    async run(claim, act) {
      const started = await new Promise<Running>((start) => {
        waiting.push({ claim, start });
        startWhatCan();
      });
      try {
        return await act(started.ground);
      } finally {
        running.delete(started);
        startWhatCan();
      }
    },
  };
}

function collide(a: Running, b: Running): boolean {
  return takesFrom(a, b) || takesFrom(b, a);
}

function takesFrom({ claim, ground }: Running, other: Running): boolean {
  const isNear = ground === other.ground;
  const isNeeded = (part: Part) => other.claim.uses.includes(part) || other.claim.locks.includes(part);
  return claim.locks.some((lock) => lock === "machine" || (isNear && isNeeded(lock)));
}
