import type { LeaseRequest } from "../lease/types.ts";

/**
 * How a wait ended. Refused: it was one try. Queue full: too many waited already. Already done: its work was. Withdrawn: the request was
 * deleted.
 */
export type WaitOutcome =
  | "granted"
  | "refused"
  | "queue_full"
  | "timed_out"
  | "skipped"
  | "already_done"
  | "withdrawn";

/** What the arbiter counts. No other replica sees it, so nothing is counted twice. */
export interface ArbiterRecorder {
  /** `waitedMs`: since `request` was made. */
  waited(outcome: WaitOutcome, waitedMs: number, request: LeaseRequest): void;
  /** A hold was over, somebody waited, and this long afterwards the next holder had answered its grant. */
  handedOver(tookMs: number): void;
  jobSkipped(): void;
}
