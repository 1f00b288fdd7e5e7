/** A fault that was injected. */
export interface Struck {
  /** See FaultRecord. */
  pods?: readonly string[];
  /** Heals the fault. Resolves when the killed component answers again. */
  heal?(): Promise<void>;
}

/** Strikes the target that `pick`, in [0, 1), chooses; undefined if there is no target now. */
export type Strike = (pick: number) => Promise<Struck | undefined>;
