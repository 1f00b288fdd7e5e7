import { holdOf } from "../lease/hold.ts";
import type { EndReason, Lease } from "../lease/types.ts";
import { KonductorError } from "../shared/errors.ts";
import { describeHold } from "./sentences.ts";

/** A client's hold: the uid of the request under which it was granted, and its token. */
export interface Claim {
  uid: string;
  token: number;
}

function lost(name: string, why: string): KonductorError {
  return new KonductorError("Lost", `klease ${name} is lost: ${why}`);
}

/** Why a hold is over whose request is gone. */
export const releasedBySomebody = (name: string): KonductorError => lost(name, "somebody has released it");

const WHY: Partial<Record<EndReason, string>> = {
  Released: "somebody has released it",
  NotConfirmed: "the grant was not confirmed in time",
};

/** Why the claim's hold is over, or cannot be used any more, in `lease` as it was read. */
export function lossOf(name: string, lease: Lease | undefined, claim: Claim): KonductorError {
  if (!lease) return lost(name, "it was deleted");
  const hold = holdOf(lease, claim);
  const past = lease.status.history.find(({ token }) => token === claim.token);
  const forced = lease.forced?.token === claim.token ? lease.forced : undefined;
  if (forced || hold?.revoked || past?.reason === "Forced") {
    const who = forced?.by ?? past?.by ?? "an admin";
    return new KonductorError(
      "Revoked",
      `klease ${name} was taken away by ${who}; acquire it again to go on`,
    );
  }
  const why = (past && WHY[past.reason]) ?? "it was not renewed in time";
  const next = hold ? undefined : lease.status.hold;
  return lost(name, next ? `${why}, and now it is held by ${describeHold(next)}` : why);
}
