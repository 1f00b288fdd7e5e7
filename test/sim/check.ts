/**
 * Rules that must hold for what has truly happened. The sentence of each violation begins with the rule's name:
 * - two: no two mains run at once, except pods of one Job, and a main with on-lost: continue that has lost its hold;
 * - tokens: the token of each grant is greater than all earlier tokens;
 * - order: the first in the queue is granted unless something is broken;
 * - ending: the hold of a vanished holder ends within its grace period and 10 s after its keeper's announcement, if time counts as proof and
 *   nothing is broken;
 * - healthy: a hold ends while its main runs only by an admin, max-hold, non-renewal or start-timeout, and not before that is due, if its
 *   renewals were all answered, or could have been by another replica. Its keeper does not fence it, and a grant is not taken back before its
 *   gate had time to answer;
 * - idle: after the last fault a free klease is granted within a bound if somebody can use it;
 * - forgotten: in the end everybody has had a turn, or was told why not. konductor neither deletes a waiting pod, nor skips a Job for others
 *   that do not wait, nor refuses a pod with valid annotations;
 * - owner: nobody is granted the klease while it is paused, nor sooner after the end of a hold than its minInterval; nobody is let wait beyond its
 *   maxWaiting, or turned away below;
 * - tries: no unfinished Job loses one of its tries because konductor deletes one of its pods;
 * - again, noted, proof, spared: see check-once.ts;
 * - told: a pod is not told before its time that its wait-timeout is over; for clients, dead and calls: see check-clients.ts.
 */
import { clientViolations } from "./check-clients.ts";
import { onceViolations } from "./check-once.ts";
import type { Noted } from "./history.ts";

/**
 * The longest chain of delays: a list whose answer was lost is requested again after at most 20 s, and an arbiter's term begins with lists; an
 * election takes 7 s; a lost replica, and its election's record, is noticed after 20 s; a watch, a gate or a step backs off for 5 s or 10 s.
 */
export const GRANTED_WITHIN_MS = 45_000;
/** The time after which everybody has seen a change. */
const SEEN_AFTER_MS = 2_000;
/** How long the effects of a fault may still be felt. */
const FELT_FOR_MS = 15_000;
/** Reasons by which an admin or a user ends a hold while its main runs. */
const IN_ORDER = ["Forced", "Deleted", "Suspended"];
/** The allowance beyond the grace period (docs/guarantees.md). */
const ENDS_WITHIN_MS = 10_000;
/** The time to answer a grant, less the difference with which holder and arbiter may see it begin. */
const ANSWERS_WITHIN_MS = 9_000;
/**
 * The time for which the unseen holder of a deleted klease is awaited: its ttl once more, which is 10 minutes if konductor has created the
 * klease.
 */
const LEFT_OVER_MS = 602_000;
const CLOCK_STEP_MS = 1_000;

interface Standing {
  token: number;
  sinceMs: number;
  isTroubled: boolean;
  isRefused: boolean;
  /** Since its last renewal the hold was only sent to other replicas. */
  isTurnedAway: boolean;
  /** Its renewals are refused since its max-hold is over. */
  isAtMaxHold: boolean;
  isLost: boolean;
}

export function violations(history: readonly Noted[]): string[] {
  const found: string[] = [];
  const running = new Map<string, { claim: string; sinceMs: number }>();
  const standings = new Map<string, Standing>();
  const limits = new Map<string, { maxHoldMs?: number; startTimeoutMs?: number; continues?: boolean }>();
  /** Claims that have lost their hold, but may still run. */
  const continuing = new Set<string>();
  /** When the first gate of each claim began, which may still run. */
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
    if (standing?.token !== token || standing.isTroubled || standing.isLost) return;
    // How the hold ends from now on follows from this loss.
    standing.isLost = true;
    const runs = [...running.values()].find((main) => main.claim === claim);
    const heldMs = atMs - standing.sinceMs;
    if (how === "NotStarted") {
      // The limits of a Job are known from its pods, of which none has a node yet.
      const { startTimeoutMs = 0 } = limits.get(claim) ?? {};
      const isInTime = runs && runs.sinceMs - standing.sinceMs < startTimeoutMs - SEEN_AFTER_MS;
      if (!isInTime && heldMs >= startTimeoutMs - CLOCK_STEP_MS) return;
    } else if (!runs || IN_ORDER.includes(how) || (how === "Expiring" && standing.isAtMaxHold)) return;
    const when = runs ? "while its main ran" : "before its time to start was over";
    found.push(`healthy: the hold of ${claim} (token ${token}) ended after ${heldMs} ms by ${how} ${when}`);
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
        // A new arbiter begins to count anew.
        if (fact.by === "election" && Number.isFinite(deletedMs)) deletedMs = atMs;
        break;
      case "granted": {
        const { token, claim, passed, against } = fact;
        if (against !== undefined) found.push(`owner: ${claim} was granted the klease, which is ${against}`);
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
          isAtMaxHold: false,
          isLost: false,
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
          standing.isAtMaxHold = heldMs >= maxHoldMs - CLOCK_STEP_MS;
          if (!standing.isAtMaxHold)
            found.push(
              `healthy: ${fact.claim} was refused for its max-hold ${maxHoldMs} ms after ${heldMs} ms`,
            );
        }
        // A refusal is judged when the hold is lost.
        if (fact.refused === undefined && !fact.isElsewhere) standing.isTroubled = true;
        break;
      }
      case "limited":
        limits.set(fact.claim, fact);
        break;
      case "policy":
        endings.delete(fact.claim);
        break;
      case "troubled": {
        const standing = standings.get(fact.claim);
        if (!fact.why.startsWith("deleted")) endings.delete(fact.claim);
        // A pod that is being deleted answers no grant.
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
      case "crowded":
      case "turnedAway": {
        const how = fact.what === "crowded" ? "was let wait" : "was turned away";
        if (!isBroken && atMs - lastFaultMs > FELT_FOR_MS)
          found.push(`owner: ${fact.who} ${how} when ${fact.before} of ${fact.most} waited before it`);
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
      case "timedOut":
        if (fact.waitedMs < fact.timeoutMs - CLOCK_STEP_MS)
          found.push(
            `told: ${fact.who}, whose wait-timeout is ${fact.timeoutMs} ms, was told TimedOut after ${Math.round(fact.waitedMs)} ms`,
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
  return [...found, ...onceViolations(history), ...clientViolations(history)];
}
