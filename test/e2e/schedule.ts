/** Which scenarios run side by side: scenarios that take something away, and those that rely on it, run at different times. */

/** What scenarios can take away from each other. */
export const PARTS = ["node", "control plane", "konductor"] as const;
export type Part = (typeof PARTS)[number];
/** `machine`: no other scenario may run, because milliseconds are measured or the whole suite is looked back on. */
export type Lock = Part | "machine";

/** What one scenario needs. */
export interface Claim {
  /** The cluster on which the scenario plays: on another cluster it can take away nothing but the machine. */
  ground: string;
  /** What the scenario takes away from others, or needs for itself. */
  locks: readonly Lock[];
  /** What the scenario relies on. */
  uses: readonly Part[];
}

export interface Schedule {
  /** Runs `act` as soon as no running claim collides with this one. First come, first served, except for claims that collide with a running one. */
  run<T>(claim: Claim, act: () => Promise<T>): Promise<T>;
}

/** `width`: how many claims run at a time on one ground. */
export function createSchedule({ width }: { width: number }): Schedule {
  const running = new Set<Claim>();
  const waiting: { claim: Claim; start: () => void }[] = [];

  function startWhatCan(): void {
    for (const entry of [...waiting]) {
      const { ground } = entry.claim;
      if ([...running].filter((other) => other.ground === ground).length >= width) continue;
      if ([...running].some((other) => collide(entry.claim, other))) continue;
      waiting.splice(waiting.indexOf(entry), 1);
      running.add(entry.claim);
      entry.start();
    }
  }

  return {
    async run(claim, act) {
      await new Promise<void>((start) => {
        waiting.push({ claim, start });
        startWhatCan();
      });
      try {
        return await act();
      } finally {
        running.delete(claim);
        startWhatCan();
      }
    },
  };
}

function collide(a: Claim, b: Claim): boolean {
  return takesFrom(a, b) || takesFrom(b, a);
}

function takesFrom({ ground, locks }: Claim, other: Claim): boolean {
  const isNear = ground === other.ground;
  return locks.some(
    (lock) => lock === "machine" || (isNear && (other.uses.includes(lock) || other.locks.includes(lock))),
  );
}
