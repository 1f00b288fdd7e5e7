/** Where the bars of a row stand. Pure: positions follow from the row, the axis and the time. */
import type { LeaseRow, PastBar, PresentHold, Waiter } from "../wire.ts";
import { type Axis, edgesOf, xOf } from "./axis.ts";
import type { SeenRow } from "./model.ts";

/** A hold that is over, or several that would be too narrow to be told from each other. */
export interface PastShape {
  kind: "past";
  id: string;
  x: number;
  width: number;
  /** The latest first; at least one. */
  holds: readonly [PastBar, ...PastBar[]];
  /** How long nobody had held before; undefined: unknown. */
  idleMs: number | undefined;
}

/** The present hold. Its right end is the line of now. */
export interface PresentShape {
  kind: "present";
  id: string;
  x: number;
  hold: PresentHold;
  idleMs: number | undefined;
  /** Where its silence begins; undefined: it was heard in time. */
  silentX: number | undefined;
}

export type Shape = PastShape | PresentShape;

/** When a waiter's turn will probably come. */
export interface TurnShape {
  place: number;
  x: number;
  /** undefined: nobody knows until when. */
  width: number | undefined;
}

export interface RowShapes {
  /** From left to right. */
  bars: readonly Shape[];
  turns: readonly TurnShape[];
  /** Where the present hold's ttl is over if it is not heard again. */
  expiryX: number | undefined;
}

/** Narrower bars could be neither seen nor hit. */
const LEAST_PX = 4;
/** Bars that begin outside begin here, so that what is written in them is seen, and their edge is not. */
const OUTSIDE_PX = 4;
/** As many turns have room in a row. */
export const SHOWN_TURNS = 3;

/** The shapes of a row. `nowMs` is the API server's time, and `seenMs` its time when the row was told. */
export function layOut({ lease }: SeenRow, axis: Axis, times: { nowMs: number; seenMs: number }): RowShapes {
  const { hold } = lease;
  const bars: Shape[] = layOutPast(lease, axis);
  if (hold) {
    const silentMs = silentSince(hold, times.nowMs);
    bars.push({
      kind: "present",
      id: idOf(hold.token),
      x: clampX(axis, xOf(axis, hold.acquiredMs)),
      hold,
      idleMs: idleBefore(hold.acquiredMs, lease.past[0]),
      silentX: silentMs === undefined ? undefined : clampX(axis, xOf(axis, silentMs)),
    });
  }
  const turns = lease.waiters
    .slice(0, SHOWN_TURNS)
    .flatMap((waiter) => layOutTurn(waiter, axis, times) ?? []);
  return { bars, turns, expiryX: hold && visibleX(axis, hold.expiresMs) };
}

/** By this the page knows a hold's bar, also once it is over. */
export function idOf(token: number): string {
  return `t${token}`;
}

/**
 * Since when a hold is silent, where it should have been heard by now: a keeper renews three times in each ttl, and one renewal may be late.
 * undefined: it was heard in time, or is not expected to be heard.
 */
export function silentSince(hold: PresentHold, nowMs: number): number | undefined {
  const { renewedMs, ttlMs, renews, expired } = hold;
  if (!renews) return undefined;
  return expired || nowMs - renewedMs > ttlMs / 2 ? renewedMs : undefined;
}

function layOutPast({ past }: LeaseRow, axis: Axis): PastShape[] {
  const [left] = edgesOf(axis);
  const shapes: PastShape[] = [];
  const ordered = past
    .filter(({ endedMs }) => xOf(axis, endedMs) > left)
    .toSorted((a, b) => a.acquiredMs - b.acquiredMs);
  for (const bar of ordered) {
    const x = clampX(axis, xOf(axis, bar.acquiredMs));
    const width = Math.max(LEAST_PX, xOf(axis, bar.endedMs) - x);
    const before = shapes.at(-1);
    const end = x + width;
    if (before && isNarrow(before.width, width) && x < before.x + before.width + 1) {
      before.holds = [bar, ...before.holds];
      before.id = idOf(bar.token);
      before.width = Math.max(before.width, end - before.x);
      continue;
    }
    const earlier = past.find(({ token }) => token < bar.token);
    shapes.push({
      kind: "past",
      id: idOf(bar.token),
      x,
      width,
      holds: [bar],
      idleMs: idleBefore(bar.acquiredMs, earlier),
    });
  }
  return shapes;
}

/** Whether two bars side by side are told apart by nobody. A bar of many grows, and stays narrow for its newest one. */
function isNarrow(before: number, width: number): boolean {
  return width <= LEAST_PX && before < 10 * LEAST_PX;
}

function idleBefore(acquiredMs: number, earlier: PastBar | undefined): number | undefined {
  return earlier && Math.max(0, acquiredMs - earlier.endedMs);
}

function layOutTurn(
  { place, turn }: Waiter,
  axis: Axis,
  { nowMs, seenMs }: { nowMs: number; seenMs: number },
): TurnShape | undefined {
  if (!turn) return undefined;
  const [, right] = edgesOf(axis);
  const x = xOf(axis, Math.max(nowMs, seenMs + turn.earliestMs));
  if (x > right) return undefined;
  if (turn.latestMs === undefined) return { place, x, width: undefined };
  const end = xOf(axis, Math.max(nowMs, seenMs + turn.latestMs));
  return { place, x, width: Math.max(LEAST_PX, end - x) };
}

function clampX(axis: Axis, x: number): number {
  return Math.max(edgesOf(axis)[0] - OUTSIDE_PX, x);
}

function visibleX(axis: Axis, atMs: number): number | undefined {
  const x = xOf(axis, atMs);
  const [left, right] = edgesOf(axis);
  return x > left && x < right ? x : undefined;
}
