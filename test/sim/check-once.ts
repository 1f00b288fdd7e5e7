/**
 * Rules for work that is done once:
 * - again: work that the klease lists as done is not begun again, unless it was forgotten, by an admin or with the klease;
 * - proof: the klease lists work as done only if it has truly succeeded, under the very hold that is named;
 * - noted: a hold under which work has provably succeeded does not end without the klease listing that work as done;
 * - spared: nobody ends without having run for work that the klease does not list as done.
 */
import type { Noted } from "./history.ts";

/** How late a call may come after the look on which it is based, because of the network or a paused replica. */
const LATE_BY_MS = 70_000;

/** Other ends take the hold from its holder. */
const ENDS_BY_PROOF = ["Terminated", "Released"];

export function onceViolations(history: readonly Noted[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const undoneMs = new Map<string, number>();
  /** The claims by the token of their hold. */
  const claims = new Map<number, string>();
  const succeeded = new Set<string>();
  /** By the token of the hold. */
  const proofs = new Map<number, Extract<Noted, { what: "proved" }>>();

  for (const fact of history) {
    switch (fact.what) {
      case "granted":
        claims.set(fact.token, fact.claim);
        // What the claimant has done under an earlier hold was noted by then, or is not to be.
        succeeded.delete(fact.claim);
        break;
      case "succeeded":
        succeeded.add(fact.claim);
        break;
      case "noted": {
        const claim = claims.get(fact.token);
        if (claim === undefined || !succeeded.has(claim))
          found.push(`proof: ${fact.key} is listed as done under token ${fact.token}, and has not succeeded`);
        done.add(fact.key);
        if (proofs.get(fact.token)?.key === fact.key) proofs.delete(fact.token);
        break;
      }
      case "proved":
        proofs.set(fact.token, fact);
        break;
      case "unproved":
        proofs.delete(fact.token);
        break;
      case "lost": {
        const proof = proofs.get(fact.token);
        proofs.delete(fact.token);
        if (proof && ENDS_BY_PROOF.includes(fact.how))
          found.push(
            `noted: ${proof.who} has provably succeeded under token ${fact.token}, and ${proof.key} is not listed as done`,
          );
        break;
      }
      case "unnoted":
        done.delete(fact.key);
        undoneMs.set(fact.key, fact.atMs);
        break;
      case "runs":
        if (fact.key !== undefined && done.has(fact.key))
          found.push(`again: ${fact.who} does ${fact.key}, which is listed as done`);
        break;
      case "spared":
        if (
          !done.has(fact.key) &&
          fact.atMs - (undoneMs.get(fact.key) ?? Number.NEGATIVE_INFINITY) > LATE_BY_MS
        )
          found.push(`spared: ${fact.who} has not run, although ${fact.key} is not listed as done`);
        break;
    }
  }
  return found;
}
