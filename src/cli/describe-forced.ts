import type { ForceReleased } from "../client/types.ts";
import { GET_PODS } from "../shared/names.ts";

/** What came of a forced release, in one sentence without its full stop. */
export function describeForced(name: string, { state, hold }: ForceReleased): string {
  const who = hold?.holder ?? "";
  switch (state) {
    case "free":
      return `nobody holds klease ${name}: there is nothing to release`;
    case "over":
      return `klease ${name} taken from ${who}`;
    case "awaitingProof":
      return `klease ${name} will be taken from ${who} once it has ended, as it has been told to (--now does not wait)`;
    case "unanswered":
      return `klease ${name} will be taken from ${who} once konductor answers; check that it is running (${GET_PODS})`;
  }
}
