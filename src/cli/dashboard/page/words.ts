/** What the page says in words: texts that people read and hear. */
import type { EndReason } from "../../../lease/types.ts";
import { formatAge } from "../../../shared/age.ts";
import type { LeaseRow, PastBar, PresentHold, Waiter } from "../wire.ts";
import { clockText } from "./axis.ts";
import { type Shape, silentSince } from "./layout.ts";

/** How a hold ended: a letter that stands for it, the look that it shares with others of its kind, and what it means. */
export interface Ending {
  letter: string;
  look: "good" | "begun-again" | "lost" | "fenced" | "forced";
  meaning: string;
}

export const ENDINGS: Readonly<Record<EndReason, Ending>> = {
  Released: { letter: "R", look: "good", meaning: "its holder gave it back" },
  Terminated: { letter: "T", look: "good", meaning: "its main was proved to have ended" },
  Restarted: { letter: "G", look: "begun-again", meaning: "its gate ran again" },
  Suspended: { letter: "S", look: "begun-again", meaning: "its Job was suspended" },
  Expired: { letter: "E", look: "lost", meaning: "its holder was silent for longer than its ttl" },
  NotConfirmed: { letter: "C", look: "lost", meaning: "nobody took the grant" },
  NotStarted: { letter: "N", look: "lost", meaning: "no pod of its Job was at work in time" },
  Fenced: { letter: "F", look: "fenced", meaning: "its keeper could not renew, and stopped it" },
  Forced: { letter: "X", look: "forced", meaning: "an admin ended it" },
};

const DAY_MS = 86_400_000;

/** A time of this place, with its day where that is another one: "20:05:30", "Nov 29, 23:05:30". */
export function whenText(atMs: number, nowMs: number): string {
  const clock = clockText(atMs, true);
  const isNear =
    new Date(atMs).toDateString() === new Date(nowMs).toDateString() && Math.abs(nowMs - atMs) < DAY_MS;
  if (isNear) return clock;
  return `${new Date(atMs).toLocaleDateString("en", { month: "short", day: "numeric" })}, ${clock}`;
}

/** The range of a waiter's turn: "in 2m to 12m", "in 2m or more", "unknown". `agoMs`: how long ago it was told. */
export function turnText({ turn }: Waiter, agoMs: number): string {
  if (!turn) return "unknown";
  const earliest = formatAge(turn.earliestMs - agoMs);
  if (turn.latestMs === undefined) return `in ${earliest} or more`;
  const latest = formatAge(turn.latestMs - agoMs);
  return earliest === latest ? `in ${latest}` : `in ${earliest} to ${latest}`;
}

/** What a bar is called: "held by ci-7 from 20:01:05 to 20:03:10 (2m), Released". */
export function barName(shape: Shape, nowMs: number): string {
  if (shape.kind === "present") return presentName(shape.hold, nowMs);
  const [last] = shape.holds;
  const first = shape.holds.at(-1) ?? last;
  if (shape.holds.length === 1) return pastName(last, nowMs);
  const range = `from ${whenText(first.acquiredMs, nowMs)} to ${whenText(last.endedMs, nowMs)}`;
  return `${shape.holds.length} holds ${range}, the last by ${last.holder}, ${endText(last)}`;
}

function pastName(bar: PastBar, nowMs: number): string {
  const { holder, acquiredMs, endedMs } = bar;
  const range = `from ${whenText(acquiredMs, nowMs)} to ${whenText(endedMs, nowMs)}`;
  return `held by ${holder} ${range} (${formatAge(endedMs - acquiredMs)}), ${endText(bar)}`;
}

/** How a hold ended: "Released", "Forced by alice". */
export function endText({ reason, by }: Pick<PastBar, "reason" | "by">): string {
  return by === undefined ? reason : `${reason} by ${by}`;
}

function presentName(hold: PresentHold, nowMs: number): string {
  const since = `since ${whenText(hold.acquiredMs, nowMs)} (${formatAge(nowMs - hold.acquiredMs)})`;
  return [`held by ${hold.holder} ${since}`, ...holdNotes(hold, nowMs)].join(", ");
}

/** What is not as usual with a hold, each in a word or two; the first matters most. */
export function holdNotes(hold: PresentHold, nowMs: number): string[] {
  const silentMs = silentSince(hold, nowMs);
  return [
    ...(hold.unreachable ? ["unreachable"] : []),
    ...(hold.revoked === undefined ? [] : [`revoked (${hold.revoked})`]),
    ...(hold.releasing ? ["releasing"] : []),
    ...(hold.expired ? ["expired"] : []),
    ...(hold.confirmed ? [] : ["not confirmed"]),
    ...(silentMs === undefined ? [] : [`silent for ${formatAge(nowMs - silentMs)}`]),
  ];
}

/** What stands below the holder: "for 12m", "free for 3m". */
export function sinceText({ hold, past }: LeaseRow, nowMs: number): string {
  if (hold) return `for ${formatAge(nowMs - hold.acquiredMs)}`;
  const [last] = past;
  return last ? `for ${formatAge(nowMs - last.endedMs)}, before: ${last.holder}` : "never held";
}

/** What a bar tells of the time before it: "2s after the one before". */
export function handoverText({ idleMs }: Shape): string | undefined {
  return idleMs === undefined ? undefined : `${formatAge(idleMs)} after the one before`;
}
