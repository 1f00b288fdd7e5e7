/**
 * Rules for those who ask by a lease client, and for the number of calls to the API server:
 * - told: while all is well, a client is refused only because somebody else holds the klease (soon, for a single try) or because its time is
 *   over. Even during faults it is not refused too early, nor ever told that its request is gone. Of two clients under one name, either may be
 *   told that the name is in use;
 * - dead: nobody else is granted while the work of a killed client may run on, unless an admin says so, and the client's hold does not block
 *   others much longer;
 * - calls: konductor comes to rest instead of reading or writing again and again, even if only for a few seconds.
 */
import type { Noted } from "./history.ts";

/** How long after its ttl the hold of a silent client ends, and after what time a grant without an answer is taken back (docs/guarantees.md). */
const EXPIRES_AFTER_MS = 2_000;
const TAKEN_BACK_AFTER_MS = 10_000;
/** The time within which a single try is answered, even if the klease has to be created again. */
export const TOLD_WITHIN_MS = 15_000;
/** The time for a few calls, and for which an expired klease shows its phase. */
const STEPS_MS = 3_000;
/** How long the end of a replica may be felt: it may have been the only one, and calls may come late. */
const FELT_FOR_MS = 20_000;
/** The time that a new arbiter needs to read everything. */
const READY_AFTER_MS = 2_000;
/** The most calls per second at rest. A look that shows nothing new is repeated after 5 ms plus its own time, and makes about twice as many. */
export const MOST_CALLS = 60;
/** How many seconds with more calls break the rule. Work that has waited for a paused replica takes less. */
export const FOR_SECONDS = 3;
/** The most calls within any one second. */
export const MOST_AT_ONCE = 150;

interface Asked {
  atMs: number;
  timeoutMs: number;
  isCalm: boolean;
  hasNamesake: boolean;
}

interface Dead {
  mayRunUntilMs: number;
  /** The time from which the client's hold counts. `lastsMs` is how long it may last, if the client holds or was granted. */
  sinceMs: number;
  lastsMs?: number;
  mustConfirm: boolean;
}

export function clientViolations(history: readonly Noted[]): string[] {
  const found: string[] = [];
  const asked = new Map<string, Asked>();
  const dead = new Map<string, Dead>();
  let isBroken = false;
  let restless = { seconds: 0, atMs: 0 };
  /** Nothing counts as well before the first election. */
  let feltUntilMs = Number.POSITIVE_INFINITY;

  function upset(feltMs: number): void {
    feltUntilMs = Number.isFinite(feltUntilMs) ? Math.max(feltUntilMs, feltMs) : feltMs;
    for (const ask of asked.values()) ask.isCalm = false;
  }

  function judgeWord(who: string, code: string, atMs: number): void {
    const nobody: Asked = { atMs, timeoutMs: 0, isCalm: false, hasNamesake: false };
    const { timeoutMs, isCalm, hasNamesake, ...ask } = asked.get(who) ?? nobody;
    if (hasNamesake && code === "Held") return;
    // Whether that was right is another rule.
    if (code === "QueueFull" && timeoutMs !== 0) return;
    const waitedMs = atMs - ask.atMs;
    const isOneTry = timeoutMs === 0;
    const isEarly = code === "TimedOut" && waitedMs < timeoutMs;
    const isUntrue = code === "Withdrawn" || (code === "Held" && !isOneTry);
    const isRight = isOneTry ? code === "Held" && waitedMs <= TOLD_WITHIN_MS : code === "TimedOut";
    if (isEarly || isUntrue || (isCalm && !isRight))
      found.push(`told: ${who}, who was to wait for ${timeoutMs} ms, was told ${code} after ${waitedMs} ms`);
  }

  function judgeBlock(claim: string, { sinceMs, lastsMs }: Dead, atMs: number): void {
    const isLong = lastsMs !== undefined && atMs - sinceMs > lastsMs + STEPS_MS;
    if (isLong && !isBroken) found.push(`dead: ${claim} was killed, and held for ${atMs - sinceMs} ms more`);
  }

  for (const fact of history) {
    const { atMs } = fact;
    switch (fact.what) {
      case "fault":
        isBroken = true;
        upset(atMs);
        break;
      case "calm":
        isBroken = false;
        upset(atMs + FELT_FOR_MS);
        for (const one of dead.values()) one.sinceMs = Math.max(one.sinceMs, atMs + FELT_FOR_MS);
        break;
      case "upset":
        upset(atMs + (fact.by === "election" ? READY_AFTER_MS : FELT_FOR_MS));
        // A new arbiter gives every holder its whole ttl again.
        for (const one of dead.values()) one.sinceMs = Math.max(one.sinceMs, atMs);
        break;
      case "asks":
        asked.set(fact.who, {
          ...{ atMs, timeoutMs: fact.timeoutMs, hasNamesake: false },
          isCalm: !isBroken && atMs > feltUntilMs,
        });
        // The client was restarted, and goes on with what it had.
        dead.delete(fact.who);
        break;
      case "namesake": {
        const ask = asked.get(fact.who);
        if (ask) ask.hasNamesake = true;
        break;
      }
      case "told":
        judgeWord(fact.who, fact.code, atMs);
        break;
      case "dies": {
        const lastsMs = fact.ttlMs === undefined ? {} : { lastsMs: fact.ttlMs + EXPIRES_AFTER_MS };
        const mayRunUntilMs = atMs + fact.mayRunForMs;
        dead.set(fact.claim, { mayRunUntilMs, sinceMs: atMs, mustConfirm: fact.mustConfirm, ...lastsMs });
        break;
      }
      case "granted": {
        for (const [claim, { mayRunUntilMs }] of dead)
          if (claim !== fact.claim && mayRunUntilMs > atMs)
            found.push(`dead: ${claim} could have run for ${mayRunUntilMs - atMs} ms more`);
        const own = dead.get(fact.claim);
        if (own?.mustConfirm)
          Object.assign(own, { sinceMs: Math.max(own.sinceMs, atMs), lastsMs: TAKEN_BACK_AFTER_MS });
        break;
      }
      case "lost": {
        const one = dead.get(fact.claim);
        if (!one || fact.how === "Expiring") break;
        if (fact.how !== "Forced" && fact.how !== "Deleted") judgeBlock(fact.claim, one, atMs);
        if (fact.how === "Forced") dead.delete(fact.claim);
        delete one.lastsMs;
        break;
      }
      case "called":
        if (fact.times > MOST_AT_ONCE)
          found.push(`calls: konductor made ${fact.times} calls within a second`);
        if (fact.times <= MOST_CALLS) break;
        restless = { seconds: atMs < restless.atMs + 2_000 ? restless.seconds + 1 : 1, atMs };
        if (restless.seconds === FOR_SECONDS)
          found.push(`calls: konductor made ${fact.times} calls in each of ${FOR_SECONDS} seconds`);
        break;
    }
  }
  const last = history.at(-1);
  if (last) for (const [claim, one] of dead) judgeBlock(claim, one, last.atMs);
  return found;
}
