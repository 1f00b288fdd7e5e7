/**
 * The time of day that all of konductor goes by: the API server's, from the Date of its answers, whatever the machine's own clock says. So
 * times written by one replica or client can be compared at another.
 *
 * An answer with Date D says that at some moment between sending and arrival the server's time was at least D and less than D + 1 s. So the
 * server's time less our monotonic time is at least D - arrival and less than D + 1 s - sending. Every answer narrows that range, most of
 * all one that comes as a second begins.
 *
 * Promises: as long as nobody sets the server's clock, `nowMs` never goes back, and is wrong by at most half a second and half of the first
 * call's duration, soon by far less. An answer that contradicts earlier ones is believed if for {@link DOUBTED_FOR_MS} no other has
 * contradicted it, or none has agreed with the earlier ones: then the server's clock was set, or another one of several API servers answers.
 * If its time is a little behind, `nowMs` runs at half speed until that catches up, instead of going back.
 *
 * Limits: of several API servers whose clocks disagree, one is followed for as long as it answers, and another replica may follow another
 * one. Before the first answer it is the machine's own time. After the machine was suspended it is behind for {@link DOUBTED_FOR_MS}.
 */
import type { Clock } from "../shared/clock.ts";
import type { ResponseInfo } from "./api.ts";

export interface ServerClock extends Clock {
  /** Learns from an answer, as it comes: an `onResponse`. */
  observe(info: ResponseInfo): void;
  /** Width of the range in which the server's time may lie. */
  unsureMs(): number;
}

/** A Date has whole seconds. */
const DATE_WITHIN_MS = 1_000;
/** How far two clocks may drift apart in a unit of time: NTP slows or hastens each by half of it at most. */
const DRIFT = 0.001;
/** Time for several answers. With fewer, the clock would waver between API servers that disagree. */
const DOUBTED_FOR_MS = 5_000;
/** A clock that is behind by more was set, and is followed at once. */
const WAIT_FOR_MS = 10_000;

/** {@link learnTime} ends when `unsureMs` is no more than this, or this long after a full second. */
const KNOWN_WITHIN_MS = 30;
const ASK_EVERY_MS = 20;

/** Where the server's time less our monotonic time lies. `atMs`: when an answer agreed last, monotonic. */
interface Range {
  fromMs: number;
  toMs: number;
  atMs: number;
}

interface Estimate extends Range {
  /** When it was begun. */
  sinceMs: number;
  /** The middle of the range when it was narrowest, moved into the current range if outside. */
  bestMs: number;
  narrowestMs: number;
}

/** `clock`, the machine's, with the API server's time of day. */
export function createServerClock(clock: Clock): ServerClock {
  let followed: Estimate | undefined;
  /** What the last answers say, since one has contradicted `followed`. */
  let doubted: Estimate | undefined;
  let told = { ms: Number.NEGATIVE_INFINITY, atMs: 0 };

  return {
    ...clock,

    observe({ serverDateMs, tookMs }) {
      if (serverDateMs === undefined) return;
      const atMs = clock.monotonicMs();
      const seen = {
        fromMs: serverDateMs - atMs,
        toMs: serverDateMs + DATE_WITHIN_MS - (atMs - tookMs),
        atMs,
      };
      followed ??= begun(seen);
      const agreed = narrowed(followed, seen);
      doubted = doubted && narrowed(doubted, seen);
      if (!agreed) doubted ??= begun(seen);
      const isBelieved = doubted && atMs - Math.min(followed.atMs, doubted.sinceMs) >= DOUBTED_FOR_MS;
      followed = (isBelieved ? doubted : agreed) ?? followed;
      if (isBelieved) doubted = undefined;
    },

    unsureMs: () => (followed ? followed.toMs - followed.fromMs : Number.POSITIVE_INFINITY),

    nowMs() {
      if (!followed) return clock.nowMs();
      const atMs = clock.monotonicMs();
      const rightMs = atMs + followed.bestMs;
      const leastMs = told.ms + (atMs - told.atMs) / 2;
      told = { ms: leastMs - rightMs > WAIT_FOR_MS ? rightMs : Math.max(rightMs, leastMs), atMs };
      return Math.floor(told.ms);
    },
  };
}

/** Asks, again and again, until a second was seen to begin at the server; for a good second at most. A failed call tells nothing. */
export async function learnTime(
  clock: ServerClock,
  ask: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = clock.monotonicMs() + DATE_WITHIN_MS + KNOWN_WITHIN_MS;
  while (!signal.aborted && clock.unsureMs() > KNOWN_WITHIN_MS && clock.monotonicMs() < untilMs) {
    await ask().catch(() => undefined);
    await clock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
  }
}

function begun(range: Range): Estimate {
  const narrowestMs = range.toMs - range.fromMs;
  return { ...range, bestMs: range.fromMs + narrowestMs / 2, narrowestMs, sinceMs: range.atMs };
}

/** What `seen` leaves of `old`; undefined if nothing. */
function narrowed(old: Estimate, seen: Range): Estimate | undefined {
  const driftMs = (seen.atMs - old.atMs) * DRIFT;
  const fromMs = Math.max(old.fromMs - driftMs, seen.fromMs);
  const toMs = Math.min(old.toMs + driftMs, seen.toMs);
  if (fromMs >= toMs) return undefined;
  const now = { ...begun({ fromMs, toMs, atMs: seen.atMs }), sinceMs: old.sinceMs };
  if (now.narrowestMs < old.narrowestMs) return now;
  return { ...now, bestMs: Math.min(Math.max(old.bestMs, fromMs), toMs), narrowestMs: old.narrowestMs };
}
