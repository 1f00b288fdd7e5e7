/** Who runs beside whom: scenarios that take something away from others, and those that rely on it, run at different times. */

/** What scenarios can take away from each other. */
export const PARTS = ["node", "control plane", "konductor"] as const;
export type Part = (typeof PARTS)[number];
/** `machine`: nobody else may use it, since milliseconds are measured, or all that happened is looked back on. */
export type Lock = Part | "machine";

/** What one scenario needs. */
export interface Claim {
  /** The cluster on which it plays: on another one it can take away nothing but the machine. */
  ground: string;
  /** What it takes away from others, or must have for itself. */
  locks: readonly Lock[];
  /** What it relies on. */
  uses: readonly Part[];
}

export interface Schedule {
  /** Runs `act` when nothing that collides with the claim runs. Whoever came first goes first, unless it collides with what runs. */
  run<T>(claim: Claim, act: () => Promise<T>): Promise<T>;
}

/** `width`: so many run at a time on one ground. */
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
