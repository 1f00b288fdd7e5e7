/** Who has paused a Lease: the annotation that our webhook writes, and how it is told. */
import { parseJson, record, text, timeMs } from "../shared/json.ts";
import { secondsTime } from "../shared/times.ts";
import type { Lease, Pause } from "./types.ts";

/** Reads {@link formatPause}; of an unreadable annotation nothing is known. */
export function parsePause(written: string | undefined): Pause | undefined {
  const said = record(parseJson(written ?? ""));
  const [by, sinceMs] = [text(said["by"]), timeMs(said["since"])];
  return by === undefined || sinceMs === undefined ? undefined : { by, sinceMs };
}

/** The value of the annotation. */
export function formatPause({ by, sinceMs }: Pause): string {
  return JSON.stringify({ by, since: secondsTime(sinceMs) });
}

/** E.g. `paused by alice since 2026-01-01T02:00:11Z ("restoring the database")`; who and since when are left out where unknown. */
export function describePause(
  { spec, pause }: Pick<Lease, "spec" | "pause">,
  sinceMs = pause?.sinceMs,
): string {
  const by = pause ? ` by ${pause.by}` : "";
  const since = sinceMs === undefined ? "" : ` since ${secondsTime(sinceMs)}`;
  // Quoted, so that it cannot be taken for konductor's words.
  const reason = spec.pauseReason ? ` (${JSON.stringify(spec.pauseReason)})` : "";
  return `paused${by}${since}${reason}`;
}
