/** A fault that was done. */
export interface Struck {
  /** See FaultRecord. */
  pods?: readonly string[];
  /** Takes it back. Resolves when what was killed answers again. */
  heal?(): Promise<void>;
}

/** Strikes one of those that it could, by `pick` in [0, 1); undefined where there is none just now. */
export type Strike = (pick: number) => Promise<Struck | undefined>;
