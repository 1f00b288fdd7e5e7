/**
 * When a waiter's turn will probably come, told from how long the Lease's holds have lasted. Every hold counts, however it ended, because every hold
 * keeps others waiting. Pure: the same durations give the same forecast.
 *
 * The method is a bootstrap (Efron 1979): many possible futures are drawn from the durations of the past, and the range holds the middle of them.
 * It is to hold what comes in 80 of 100 cases. `npm run bench:forecast` prints how often it did.
 */

import { formatAge } from "../shared/age.ts";
import { nthSmallest } from "./nth-smallest.ts";
import { heldBack } from "./policies/held-back.ts";
import type { Ruled } from "./policies/policy.ts";

/** Fewer durations tell nothing. */
const FEWEST = 5;
const FUTURES = 400;
/** Each future is like the last few holds, or like more of them: nobody knows whether they are slower for the moment, or from now on. */
const WINDOWS = [6, 12, 24, 64] as const;
/** Of the futures. A few durations know less than there is, so that a range of 86 % of them holds about 80 % of what comes. */
const SHARE = 0.86;
/** Beyond this place nobody asks to the minute, and the cost is bounded. */
export const FARTHEST_PLACE = 1_000;
/** Up to this place whoever waits is told its turn unasked. A forecast costs more the farther the place is, and says less. */
export const TOLD_PLACES = 20;

/** From now until the turn. `latest` is undefined where the present hold has outlasted nearly all before it. */
export interface WaitRange {
  readonly earliest: number;
  readonly latest: number | undefined;
}

export interface Past {
  /** How long the last holds lasted, the latest first, in any unit. */
  readonly durations: readonly number[];
  /** For how long somebody has held; undefined: nobody does. */
  readonly heldFor: number | undefined;
  /** For how long nobody is granted it yet, if nobody holds. */
  readonly restFor?: number;
  /** From each hold's end to the next grant, at least. */
  readonly interval?: number;
}

/** When the turn of whoever is at `position` (1: the next) of a Lease's queue will probably come, as "in 2m to 12m". Undefined: it is unknown. */
export function describeTurn(lease: Ruled, position: number, nowMs: number): string | undefined {
  const past = pastOf(lease, nowMs);
  const range = past && forecastWait(past, position);
  return range && describeRange(range);
}

/** The same for the first places, as many as can be said. */
export function describeTurns(lease: Ruled, length: number, nowMs: number): string[] {
  const past = pastOf(lease, nowMs);
  return past ? forecastQueue(past, length).map(describeRange) : [];
}

/** What a forecast goes by, of a Lease at `nowMs`; in seconds. Undefined: nobody knows when the Lease will be granted again. */
export function pastOf(lease: Ruled, nowMs: number): Past | undefined {
  const { hold, holdSeconds } = lease.status;
  const held = heldBack(lease, nowMs);
  if (held && held.untilMs === undefined) return undefined;
  const restMs = held?.untilMs === undefined ? 0 : held.untilMs - nowMs;
  return {
    durations: holdSeconds,
    heldFor: hold && Math.max(0, (nowMs - hold.acquiredMs) / 1_000),
    restFor: hold ? 0 : restMs / 1_000,
    interval: (lease.spec.minIntervalMs ?? 0) / 1_000,
  };
}

function describeRange(range: WaitRange): string {
  const earliest = formatAge(range.earliest * 1_000);
  if (range.latest === undefined) return `in ${earliest} or more`;
  const latest = formatAge(range.latest * 1_000);
  return earliest === latest ? `in ${latest}` : `in ${earliest} to ${latest}`;
}

/**
 * The wait at `position`. Undefined where fewer than five holds are known, or beyond {@link FARTHEST_PLACE}. It supposes that those ahead stay and
 * that nobody of a higher priority comes.
 */
export function forecastWait(past: Past, position: number): WaitRange | undefined {
  if (past.durations.length < FEWEST || position > FARTHEST_PLACE) return undefined;
  const { futures, isOpen, next } = futuresOf(past);
  for (let place = 2; place <= position; place++) next();
  return middle(futures, isOpen);
}

/** The waits at the first `length` places, at most {@link FARTHEST_PLACE}; empty where fewer than five holds are known. */
export function forecastQueue(past: Past, length: number): WaitRange[] {
  if (past.durations.length < FEWEST) return [];
  const { futures, isOpen, next } = futuresOf(past);
  return Array.from({ length: Math.min(length, FARTHEST_PLACE) }, (_, index) => {
    if (index > 0) next();
    return middle(futures, isOpen);
  });
}

interface Future {
  /** The durations that it is drawn from, the shortest first. */
  readonly holds: readonly number[];
  wait: number;
}

/** Futures that are at the next grant; `next` leads each to the one after that. */
function futuresOf({ durations, heldFor, restFor = 0, interval = 0 }: Past) {
  const windows = WINDOWS.map((size) => durations.slice(0, size).toSorted((a, b) => a - b));
  const random = randomFrom(durations.length);
  // Whoever has held for longer than nearly all before may go on for as long again, or for ever.
  const isOpen = heldFor !== undefined && durations.filter((each) => each > heldFor).length < 2;
  const futures = Array.from({ length: FUTURES }, (_, index): Future => {
    const holds = windows[index % windows.length] ?? [];
    if (heldFor === undefined) return { holds, wait: restFor };
    if (isOpen) return { holds, wait: random() * heldFor + interval };
    // Of the durations only longer ones than the present hold has lasted are possible.
    const share = holds.filter((each) => each <= heldFor).length / (holds.length + 1);
    return { holds, wait: Math.max(0, draw(holds, share + (1 - share) * random()) - heldFor) + interval };
  });
  const next = () => {
    for (const future of futures) future.wait += draw(future.holds, random()) + interval;
  };
  return { futures, isOpen, next };
}

function middle(futures: readonly Future[], isOpen: boolean): WaitRange {
  const waits = new Float64Array(futures.length);
  for (const [index, { wait }] of futures.entries()) waits[index] = wait;
  const at = (share: number) => nthSmallest(waits, Math.round(share * (waits.length - 1)));
  return { earliest: at((1 - SHARE) / 2), latest: isOpen ? undefined : at((1 + SHARE) / 2) };
}

/**
 * A duration as likely as those in `sorted`, by their quantile function. The longest of n durations is exceeded by the next one once in n + 1
 * times, so the function goes on beyond both ends, by as much as it changes near them.
 */
function draw(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length + 1) - 1;
  const below = Math.min(Math.max(Math.floor(place), 0), sorted.length - 2);
  const [low = 0, high = low] = [sorted[below], sorted[below + 1]];
  return Math.max(0, low + (high - low) * (place - below));
}

/** Numbers from 0 to 1 (mulberry32): the same for the same `seed`, so that a range does not flicker from one look to the next. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
