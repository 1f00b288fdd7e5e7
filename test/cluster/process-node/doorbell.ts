/** Wakes a loop: rings while nobody waits are remembered as one. */
export interface Doorbell {
  ring(): void;
  /** Resolves at the next ring, or at once when it rang since the last call. */
  wait(): Promise<void>;
}

export function doorbell(): Doorbell {
  let rang = Promise.withResolvers<void>();
  return {
    ring: () => rang.resolve(),
    async wait() {
      await rang.promise;
      rang = Promise.withResolvers<void>();
    },
  };
}
