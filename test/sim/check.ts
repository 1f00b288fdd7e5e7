/**
 * What must hold, judged by what has truly happened. Each rule is a sentence that begins with its name:
 * - two: no two mains at once, but for the pods of one Job, and for one that has lost its hold and is to continue;
 * - tokens: each grant's token is greater than all before it;
 * - order: with nothing broken the first in the queue is granted;
 * - ending: of a holder who vanishes the hold ends within its grace period and 10 s of its keeper's word, where time may stand for proof
 *   and nothing is broken;
 * - healthy: a hold whose renewals were all answered, or could have been by another replica than the one that was asked, and whose
 *   main runs ends only by an admin, max-hold, non-renewal or start-timeout, and not before that is due; nor does its keeper fence it; nor
 *   is a grant taken back before its gate had the time to answer it;
 * - idle: after the last fault a free klease with somebody who can use it is granted within a bound;
 * - forgotten: in the end everybody has had their turn, or was told why not; and konductor neither deletes a pod that waits, nor skips a
 *   Job for others that do not wait, nor refuses a pod for annotations that are right;
 * - tries: no Job that is not over loses one of its tries since konductor deletes a pod of its;
 * - told, dead, calls: see check-clients.ts.
 */
import { clientViolations } from "./check-clients.ts";
import type { Noted } from "./history.ts";

/**
 * A list whose answer was lost is asked for anew after 20 s at most, and a term of the arbiter begins with lists; an election takes 7 s, a
 * replica that is lost is noticed after 20 s, and its election's record is; a watch, a gate, or a step backs off for 5 s or 10 s.
 */
export const GRANTED_WITHIN_MS = 45_000;
/** Longer, and everybody has seen it by then. */
const SEEN_AFTER_MS = 2_000;
/** What was broken until so short a time ago may still be felt. */
const FELT_FOR_MS = 15_000;
/** What ends a hold, while its main runs, by an admin's or a user's word. */
const IN_ORDER = ["Forced", "Deleted", "Suspended"];
/** Beyond its grace period: docs/guarantees.md. */
const ENDS_WITHIN_MS = 10_000;
/** Less than the time to answer a grant by as much as its holder and an arbiter may see it begin apart. */
const ANSWERS_WITHIN_MS = 9_000;
/** Who held a klease that was deleted, and cannot be seen, is given its ttl once more: 10 minutes where konductor has made the klease. */
const LEFT_OVER_MS = 602_000;
const CLOCK_STEP_MS = 1_000;

interface Standing {
  token: number;
  sinceMs: number;
  isTroubled: boolean;
  isRefused: boolean;
  /** Since its last renewal it was only sent to another replica. */
  isTurnedAway: boolean;
}

export function violations(history: readonly Noted[]): string[] {
  const found: string[] = [];
  const running = new Map<string, { claim: string; sinceMs: number }>();
  const standings = new Map<string, Standing>();
  const limits = new Map<string, { maxHoldMs?: number; startTimeoutMs?: number; continues?: boolean }>();
  /** Those who have lost their hold, and may run all the same. */
  const continuing = new Set<string>();
  /** By claim: when the first gate of its ran, which may still be there. */
  const gates = new Map<string, number>();
  const endings = new Map<string, { fromMs: number; graceMs: number; isSaid: boolean }>();
  let lastUpsetMs = Number.NEGATIVE_INFINITY;
  let highest = 0;
  let lastFaultMs = Number.NEGATIVE_INFINITY;
  let deletedMs = Number.NEGATIVE_INFINITY;
  let isBroken = false;
  let idle: { sinceMs: number; who: string } | undefined;

  function endIdle(atMs: number): void {
    if (!idle || isBroken) return;
    const fromMs = Math.max(idle.sinceMs, lastFaultMs, deletedMs + LEFT_OVER_MS);
    if (atMs - fromMs > GRANTED_WITHIN_MS)
      found.push(
        `idle: for ${Math.round((atMs - fromMs) / 1_000)} s nobody held it, and ${idle.who} could use it`,
      );
  }

  function endEnding(claim: string, atMs: number): void {
    const ending = endings.get(claim);
    endings.delete(claim);
    if (!ending?.isSaid || isBroken || Math.max(lastFaultMs, lastUpsetMs) > ending.fromMs - FELT_FOR_MS)
      return;
    const tookMs = atMs - ending.fromMs;
    if (tookMs > ending.graceMs + ENDS_WITHIN_MS)
      found.push(`ending: ${claim} has vanished, and its hold ended ${tookMs} ms after its keeper's word`);
  }

  function takeBack(claim: string, atMs: number): void {
    const standing = standings.get(claim);
    const askedMs = gates.get(claim);
    if (!standing || standing.isTroubled || askedMs === undefined) return;
    const answersForMs = atMs - Math.max(standing.sinceMs, askedMs);
    if (answersForMs < ANSWERS_WITHIN_MS)
      found.push(
        `healthy: the grant of ${claim} was taken back when its gate had ${answersForMs} ms to answer`,
      );
  }

  function lose({ claim, token, how, atMs }: Extract<Noted, { what: "lost" }>): void {
    const standing = standings.get(claim);
    const runs = [...running.values()].find((main) => main.claim === claim);
    if (standing?.token !== token || standing.isTroubled || !runs || IN_ORDER.includes(how)) return;
    const heldMs = atMs - standing.sinceMs;
    const { maxHoldMs = Number.POSITIVE_INFINITY, startTimeoutMs = Number.POSITIVE_INFINITY } =
      limits.get(claim) ?? {};
    if (heldMs >= maxHoldMs - CLOCK_STEP_MS) return;
    if (how === "NotStarted" && runs.sinceMs - standing.sinceMs >= startTimeoutMs - SEEN_AFTER_MS) return;
    found.push(
      `healthy: the hold of ${claim} (token ${token}) ended after ${heldMs} ms by ${how} while its main ran`,
    );
  }

  for (const fact of history) {
    const { atMs } = fact;
    switch (fact.what) {
      case "runs": {
        if (continuing.has(fact.claim)) break;
        running.set(fact.who, { claim: fact.claim, sinceMs: atMs });
        const claims = new Set([...running.values()].map(({ claim }) => claim));
        if (claims.size > 1) found.push(`two: ${[...running.keys()].join(" and ")} run at once`);
        break;
      }
      case "stops":
        running.delete(fact.who);
        break;
      case "upset":
        lastUpsetMs = atMs;
        // A new arbiter counts it anew.
        if (fact.by === "election" && Number.isFinite(deletedMs)) deletedMs = atMs;
        break;
      case "granted": {
        const { token, claim, passed } = fact;
        endIdle(atMs);
        idle = undefined;
        deletedMs = Number.NEGATIVE_INFINITY;
        if (token <= highest) found.push(`tokens: ${token} was granted after ${highest}`);
        highest = Math.max(highest, token);
        endings.delete(claim);
        continuing.delete(claim);
        standings.set(claim, {
          token,
          sinceMs: atMs,
          isTroubled: false,
          isRefused: false,
          isTurnedAway: false,
        });
        const isCalm = !isBroken && atMs - lastFaultMs > FELT_FOR_MS;
        const before = passed.find(({ readyForMs }) => readyForMs > SEEN_AFTER_MS);
        if (isCalm && before) found.push(`order: ${claim} was granted before ${before.who}`);
        break;
      }
      case "lost":
        if (fact.how === "Deleted") deletedMs = atMs;
        if (fact.how === "NotConfirmed") takeBack(fact.claim, atMs);
        endEnding(fact.claim, atMs);
        lose(fact);
        if (limits.get(fact.claim)?.continues) {
          continuing.add(fact.claim);
          for (const [who, { claim }] of running) if (claim === fact.claim) running.delete(who);
        }
        break;
      case "renewed": {
        const standing = standings.get(fact.claim);
        if (!standing) break;
        standing.isTurnedAway = fact.isElsewhere === true;
        standing.isRefused ||= fact.refused !== undefined;
        if (fact.isAnswered) break;
        const { maxHoldMs } = limits.get(fact.claim) ?? {};
        if (fact.refused === "MaxHold" && maxHoldMs !== undefined && !standing.isTroubled) {
          const heldMs = atMs - standing.sinceMs;
          if (heldMs < maxHoldMs - CLOCK_STEP_MS)
            found.push(
              `healthy: ${fact.claim} was refused for its max-hold ${maxHoldMs} ms after ${heldMs} ms`,
            );
        }
        // A refusal is judged where the hold is lost.
        if (fact.refused === undefined && !fact.isElsewhere) standing.isTroubled = true;
        break;
      }
      case "limited":
        limits.set(fact.claim, fact);
        break;
      case "troubled": {
        const standing = standings.get(fact.claim);
        if (!fact.why.startsWith("deleted")) endings.delete(fact.claim);
        // One that goes answers nothing.
        else gates.delete(fact.claim);
        if (!standing) break;
        const isHealthy = !standing.isTroubled && !standing.isRefused && standing.isTurnedAway;
        if (fact.why === "fenced" && isHealthy)
          found.push(`healthy: ${fact.claim} was fenced, though another replica would have renewed its hold`);
        standing.isTroubled = true;
        break;
      }
      case "gate":
        if (!gates.has(fact.claim)) gates.set(fact.claim, atMs);
        break;
      case "vanished": {
        const standing = standings.get(fact.claim);
        if (!standing || standing.isTroubled) break;
        standing.isTroubled = true;
        endings.set(fact.claim, { fromMs: atMs, graceMs: fact.graceMs, isSaid: false });
        break;
      }
      case "said": {
        const ending = endings.get(fact.claim);
        if (ending && !ending.isSaid) Object.assign(ending, { fromMs: atMs, isSaid: true });
        break;
      }
      case "idle":
        idle = { sinceMs: atMs, who: fact.who };
        break;
      case "busy":
        endIdle(atMs);
        idle = undefined;
        break;
      case "fault":
        endIdle(atMs);
        isBroken = true;
        break;
      case "calm":
        isBroken = false;
        lastFaultMs = atMs;
        break;
      case "dismissed":
        found.push(`forgotten: ${fact.who} was deleted while it waited`);
        break;
      case "taken":
        found.push(
          `tries: ${fact.who} was deleted, which counts as failed, and Job ${fact.job} could end it`,
        );
        break;
      case "skipped":
        if (fact.others < fact.most)
          found.push(
            `forgotten: ${fact.who} was skipped, and of ${fact.most} that may wait only ${fact.others} did`,
          );
        break;
      case "misread":
        found.push(`forgotten: ${fact.who} was refused for annotations that are right`);
        break;
      case "forgotten":
        found.push(`forgotten: ${fact.who} never got to run`);
        break;
    }
  }
  const last = history.at(-1);
  if (last) endIdle(last.atMs);
  for (const claim of [...endings.keys()]) endEnding(claim, last?.atMs ?? 0);
  return [...found, ...clientViolations(history)];
}
