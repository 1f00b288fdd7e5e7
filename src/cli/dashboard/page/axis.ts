/** The time axis that all rows share. Positions are in CSS pixels from the line of now: what was is left of it, and negative. */

/** What the whole width shows of the past, and how it is named. */
export const SPANS = [
  { name: "5 m", ms: 300_000 },
  { name: "15 m", ms: 900_000 },
  { name: "1 h", ms: 3_600_000 },
  { name: "6 h", ms: 21_600_000 },
  { name: "24 h", ms: 86_400_000 },
] as const;

/** Where the line of now stands: the rest of the width shows what will probably come. */
export const PAST_SHARE = 0.76;

export interface Axis {
  /** The time at the line of now. */
  nowMs: number;
  /** How much of the past is shown. */
  spanMs: number;
  widthPx: number;
}

export interface Tick {
  x: number;
  atMs: number;
  label: string;
}

/** Pixels for each millisecond. */
export function scaleOf({ spanMs, widthPx }: Axis): number {
  return (widthPx * PAST_SHARE) / spanMs;
}

/** Where a time stands. */
export function xOf(axis: Axis, atMs: number): number {
  return (atMs - axis.nowMs) * scaleOf(axis);
}

/** The left edge, and the right one. */
export function edgesOf({ widthPx }: Axis): [left: number, right: number] {
  return [-widthPx * PAST_SHARE, widthPx * (1 - PAST_SHARE)];
}

const MINUTE = 60_000;
const STEPS = [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE);
/** Labels that stand closer cannot be told from each other. */
const LEAST_PX = 64;
/** The word "now" needs this on either side. */
const NEAR_PX = 40;

/** Round times along the axis, as the wall clock of this place shows them. Beside now they have no label. */
export function ticksOf(axis: Axis): Tick[] {
  const scale = scaleOf(axis);
  const step = STEPS.find((each) => each * scale >= LEAST_PX) ?? 1_440 * MINUTE;
  const [left, right] = edgesOf(axis);
  const fromMs = axis.nowMs + left / scale;
  const zoneMs = new Date(axis.nowMs).getTimezoneOffset() * MINUTE;
  const ticks: Tick[] = [];
  for (let atMs = Math.ceil((fromMs - zoneMs) / step) * step + zoneMs; ; atMs += step) {
    const x = xOf(axis, atMs);
    if (x > right) return ticks;
    ticks.push({ x, atMs, label: Math.abs(x) < NEAR_PX ? "" : clockText(atMs, step < MINUTE) });
  }
}

/** A time of day of this place: "20:05", "20:05:30". */
export function clockText(atMs: number, withSeconds: boolean): string {
  const at = new Date(atMs);
  const parts = [at.getHours(), at.getMinutes(), ...(withSeconds ? [at.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
