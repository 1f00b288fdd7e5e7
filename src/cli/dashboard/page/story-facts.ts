/** What a row says of one of its holds. */
import type { LeaseRow, PastBar, PresentHold } from "../wire.ts";

export type HoldFacts = {
  holder: string;
  token: number;
  acquiredMs: number;
} & ({ isPresent: true; hold: PresentHold } | { isPresent: false; past: PastBar });

/** The hold with this token; undefined where the row knows none. */
export function factsOf({ hold, past }: LeaseRow, token: number | undefined): HoldFacts | undefined {
  if (hold && hold.token === token)
    return { holder: hold.holder, token: hold.token, acquiredMs: hold.acquiredMs, isPresent: true, hold };
  const found = past.find((each) => each.token === token);
  return (
    found && {
      holder: found.holder,
      token: found.token,
      acquiredMs: found.acquiredMs,
      isPresent: false,
      past: found,
    }
  );
}
