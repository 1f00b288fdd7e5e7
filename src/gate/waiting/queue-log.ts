import type { Log } from "../log.ts";
import type { Waiting } from "../wire/answers.ts";

const SAY_AGAIN_MS = 60_000;

/** Logs what the gate waits for: when the place or the holder changes, else once a minute. */
export function queueLog(log: Log, lease: string, monotonicMs: () => number): (waiting: Waiting) => void {
  let said = "";
  let saidAtMs = 0;
  return (waiting) => {
    const { position, of, holder, since, heldBack } = waiting;
    const news = JSON.stringify([position, of, holder, since, heldBack]);
    if (news === said && monotonicMs() - saidAtMs < SAY_AGAIN_MS) return;
    said = news;
    saidAtMs = monotonicMs();
    log.info(`waiting for klease ${lease}: ${describeWaiting(waiting)}`);
  };
}

/** E.g. "position 3 of 7, held by report-x7k2p since 02:00:11, expires 02:30:11, its turn probably comes in 4m to 25m". */
function describeWaiting({ position, of, holder, since, expires, heldBack, turn }: Waiting): string {
  const parts = [`position ${position} of ${of}`];
  if (holder !== undefined) parts.push(`held by ${holder}${since ? ` since ${timeOf(since)}` : ""}`);
  else if (heldBack === undefined) parts.push("held by nobody yet");
  if (holder !== undefined && expires !== undefined) parts.push(`expires ${timeOf(expires)}`);
  if (heldBack !== undefined) parts.push(heldBack);
  if (turn !== undefined) parts.push(`its turn probably comes ${turn}`);
  return parts.join(", ");
}

/** The time of day in an RFC 3339 time, as the server wrote it. */
function timeOf(time: string): string {
  return /T(\d\d:\d\d:\d\d)/.exec(time)?.[1] ?? time;
}
