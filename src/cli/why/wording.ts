/** Words that the sentences of `koncli lease why` share. */
import { formatDuration } from "../../lease/duration.ts";
import type { Hold } from "../../lease/types.ts";
import { formatAge } from "../../shared/age.ts";
import { isoTime } from "../../shared/times.ts";
import type { Known } from "../known.ts";

/** "2026-01-01T02:00:11Z". */
export function at(ms: number): string {
  return isoTime(ms).replace(/\.\d+Z$/, "Z");
}

/** "2026-01-01T02:00:11Z (12m ago)", or "(in 12m)". */
export function atAndAge(ms: number, nowMs: number): string {
  return `${at(ms)} (${ms > nowMs ? `in ${formatAge(ms - nowMs)}` : `${formatAge(nowMs - ms)} ago`})`;
}

/** "10m", without parts of a second. */
export function duration(ms: number): string {
  return formatDuration(Math.round(ms / 1_000) * 1_000);
}

/** "pod web-1", "Job nightly", "client ci-7". */
export function whoHolds({ holder, ref }: Pick<Hold, "holder" | "ref">): string {
  return ref.kind === "LeaseRequest" ? `client ${holder}` : named(ref);
}

/** "renewed last 40s ago". */
export function lastRenewal({ renewals, expiresMs, ttlMs }: Hold, nowMs: number): string {
  return renewals === 0
    ? "has not renewed yet"
    : `renewed last ${formatAge(nowMs - (expiresMs - ttlMs))} ago`;
}

/** "pod web-1" or "Job nightly". */
export function named({ kind, name }: { kind: string; name: string }): string {
  return `${kind === "Pod" ? "pod" : kind} ${name}`;
}

/** "a", "a and b", "a, b and 7 more": of many names only the first ones. */
export function enumerate(names: readonly string[], most = 3): string {
  const more = names.length - most;
  const shown = more > 1 ? [...names.slice(0, most), `${more} more`] : names;
  return shown.length < 2 ? (shown[0] ?? "") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** A word of a command that a user can paste into a shell. */
export function shellWord(word: string): string {
  return /^[\w.:/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A sentence about what the user may not read; none if it was read. */
export function unreadSentence(known: Known<unknown>, what: string): string[] {
  return known.is === "unread" ? [`${what} is not known: ${known.why}.`] : [];
}

export function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
