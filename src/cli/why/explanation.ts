import type { Place } from "./place.ts";

/**
 * In one word. Waiting: in the queue. Granted: not answered yet. Joining: a pod of a Job that holds. Starting: its gate has not begun to ask.
 * Unanswered: it asks, and konductor does not answer. Unknown: what would tell may not be read.
 */
export type State =
  | "Waiting"
  | "Granted"
  | "Holds"
  | "Joining"
  | "Lost"
  | "NotGranted"
  | "AlreadyDone"
  | "Skipped"
  | "Starting"
  | "Unanswered"
  | "LeaseMissing"
  | "Suspended"
  | "Ending"
  | "Ended"
  | "Unlabelled"
  | "Unknown";

export interface Explanation {
  state: State;
  /** The klease's name. */
  lease?: string;
  place?: Place;
  /** Each with its full stop: together they are one paragraph. */
  sentences: readonly string[];
}

export function explanation(
  state: State,
  sentences: readonly string[],
  more: Pick<Explanation, "lease" | "place"> = {},
): Explanation {
  return { state, sentences, ...more };
}
