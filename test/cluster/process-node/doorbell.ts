/** Wakes a loop: several rings while the loop is busy count as one. */
export interface Doorbell {
  ring(): void;
  /** Resolves at the next ring, or at once if it rang since the last call. */
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
