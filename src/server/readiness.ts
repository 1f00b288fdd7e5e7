/** Whether this replica should be sent work. It is not before its caches are filled and its server listens, nor once it is about to end. */
export interface Readiness {
  /** Why it is not ready; undefined when it is. */
  problem(): string | undefined;
  /** The server listens. */
  serving(): void;
  /** From now on it is not ready. */
  drain(): void;
}

/** `unsynced` names the caches that have not been filled yet. */
export function createReadiness({ unsynced }: { unsynced: () => readonly string[] }): Readiness {
  let isServing = false;
  let isDraining = false;
  return {
    problem() {
      if (isDraining) return "draining: this replica is about to end";
      const missing = unsynced();
      if (missing.length > 0) return `not synced yet: ${missing.join(", ")}`;
      return isServing ? undefined : "not serving yet: the certificate is being made";
    },
    serving() {
      isServing = true;
    },
    drain() {
      isDraining = true;
    },
  };
}
