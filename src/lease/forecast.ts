/**
 * When a waiter's turn will probably come, told from how long the Lease's holds have lasted. Every hold counts, however it ended, because every hold
 * keeps others waiting. Pure: the same durations give the same forecast.
 *
 * The method is a bootstrap (Efron 1979): many possible futures are drawn from the durations of the past, and the range holds the middle of them.
 * It is to hold what comes in 80 of 100 cases. `npm run bench:forecast` prints how often it did. The sum of many holds would vary too little if they
 * had nothing to do with each other. So half of the futures become ever slower and half ever faster, by as much as past holds did ({@link driftOf}),
 * and each future has its own mean, because few durations tell little of it ({@link drawAgain}).
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
/** Drift is measured between neighbouring stretches of so many holds. */
const STRETCH = 12;
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
  readonly drawn: number[];
  readonly becomesSlower: boolean;
  /** How many holds lie between the middle of `holds` and the future's last one. */
  ahead: number;
  wait: number;
}

/** Futures that are at the next grant; `next` leads each to the one after that. */
function futuresOf({ durations, heldFor, restFor = 0, interval = 0 }: Past) {
  const windows = WINDOWS.map((size) => durations.slice(0, size).toSorted((a, b) => a - b));
  const random = randomFrom(durations.length);
  const drift = driftOf(durations);
  // Whoever has held for longer than nearly all before may go on for as long again, or for ever.
  const isOpen = heldFor !== undefined && durations.filter((each) => each > heldFor).length < 2;
  const futures = Array.from({ length: FUTURES }, (_, index): Future => {
    const holds = windows[index % windows.length] ?? [];
    const becomesSlower = index % (2 * windows.length) < windows.length;
    const future: Future = { holds, drawn: [], becomesSlower, ahead: (holds.length + 1) / 2, wait: restFor };
    if (heldFor === undefined) return future;
    if (isOpen) return { ...future, wait: random() * heldFor + interval };
    // Of the durations only longer ones than the present hold has lasted are possible.
    const share = holds.filter((each) => each <= heldFor).length / (holds.length + 1);
    const present = draw(holds, share + (1 - share) * random());
    return { ...future, drawn: [present], wait: Math.max(0, present - heldFor) + interval };
  });
  const next = () => {
    for (const future of futures) {
      future.ahead++;
      // How holds change over more of them than are known, nobody has seen.
      const change = 1 + drift * Math.min(future.ahead, durations.length);
      const duration = drawAgain(future, random());
      future.wait += (future.becomesSlower ? duration * change : duration / change) + interval;
    }
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
 * By what share holds become slower or faster from one to the next, beyond what chance does: 0.01 is 1 %. Chance makes the means of neighbouring
 * stretches differ the less the longer these are: the Allan variance (Allan 1966) falls in proportion. What is left of it is drift. It is 0 for
 * fewer than six durations.
 */
function driftOf(durations: readonly number[]): number {
  const mean = durations.reduce((sum, each) => sum + each, 0) / durations.length;
  // Logarithms make shares of differences. Whether a hold took 1 % of the mean, or nothing, matters to nobody who waits.
  const logs = durations.map((each) => Math.log(each + (mean / 100 || 1)));
  const stretch = Math.min(STRETCH, Math.floor(logs.length / 3));
  const excess = allanVariance(logs, stretch) - allanVariance(logs, 1) / stretch;
  return Math.sqrt(2 * Math.max(0, excess)) / stretch;
}

/** Half of the mean square of the differences between the means of neighbouring stretches, wherever they begin. */
function allanVariance(values: readonly number[], stretch: number): number {
  const sums = [0];
  for (const [index, each] of values.entries()) sums.push((sums[index] ?? 0) + each);
  const sumBefore = (index: number) => sums[index] ?? 0;
  const count = values.length - 2 * stretch + 1;
  let squares = 0;
  for (let from = 0; from < count; from++) {
    const middle = sumBefore(from + stretch);
    squares += ((sumBefore(from + 2 * stretch) - middle - (middle - sumBefore(from))) / stretch) ** 2;
  }
  return squares / count / 2;
}

/**
 * The next of a future's holds: one of the past or one that it has drawn before, each as likely (Pólya's urn; Blackwell and MacQueen 1973). So the
 * sum of n holds varies by what N durations leave open, too: its variance is n s² (1 + n/N), nearly, and not n s².
 */
function drawAgain({ holds, drawn }: Future, share: number): number {
  const place = share * (holds.length + drawn.length);
  const again = place < holds.length ? undefined : drawn[Math.floor(place - holds.length)];
  const duration = again ?? draw(holds, place / holds.length);
  drawn.push(duration);
  return duration;
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
