/**
 * What a Lease's annotations say of its list of done work. Our webhook writes both; konductor takes them over with its next write of the
 * status, and whoever reads the Lease before that sees it as it will be.
 * - `konductor.io/forget`: an admin has konductor forget one key. It names the token of the entry that was meant, so a later success of the
 *   same work stays, and the annotation need never be removed.
 * - `konductor.io/done`: the list, and the highest token, of the Lease from whose manifest this one was created again. It comes at
 *   creation alone (policy konductor-leases), and counts only until the Lease has a list, or a token, of its own.
 */
import { integer, parseJson, record, text } from "../shared/json.ts";
import { DONE_ANNOTATION, FORGET_ANNOTATION } from "../shared/names.ts";
import { secondsTime } from "../shared/times.ts";
import { parseDone } from "./hold-codec.ts";
import { isOnceKey } from "./once.ts";
import type { DoneWork, ForgottenWork, LeaseStatus } from "./types.ts";

/** What the policy konductor-sizes allows. */
const LONGEST_DONE = 8_192;
/** What the schema of `status.done` allows. */
const LONGEST_HOLDER = 253;
/**
 * Tokens begin as milliseconds of the time, and rise by one with each hold, so none that was granted lies ahead of the time; nor does the end of
 * any work. An hour is for clocks that differ; what lies further ahead was made up. Limit: whoever may create Leases can bring tokens that
 * lie ahead by less. If that Lease is deleted, and created again without its status within this time, its tokens are lower.
 */
const AHEAD_MS = 3_600_000;

/** An unreadable annotation forgets nothing. */
export function parseForgotten(annotation: string | undefined): ForgottenWork | undefined {
  if (annotation === undefined) return undefined;
  const { key, token, by } = record(parseJson(annotation));
  const forgotten = { key: text(key), token: integer(token), by: text(by) };
  return forgotten.key === undefined || forgotten.token === undefined || forgotten.by === undefined
    ? undefined
    : { key: forgotten.key, token: forgotten.token, by: forgotten.by };
}

/** The value of the annotation that {@link parseForgotten} reads. */
export function formatForgotten({ key, token, by }: ForgottenWork): string {
  return JSON.stringify({ key, token, by });
}

/** What is carried over from the manifest of an earlier Lease. */
export interface Restored {
  /** The highest token of that Lease: none that is not higher is granted. */
  token: number;
  done: readonly DoneWork[];
}

/**
 * What `status`, as a user wrote it, says of done work, for a Lease that is created at `createdMs`; undefined: nothing that can be believed.
 * Entries at the end that would make {@link formatRestored} too long are left out.
 */
export function restoredFrom(status: unknown, createdMs: number): Restored | undefined {
  const { fencingToken, done } = record(status);
  const found = restored({ token: fencingToken, done }, createdMs);
  if (!found) return undefined;
  let fitting = found;
  while (formatRestored(fitting).length > LONGEST_DONE)
    fitting = { ...fitting, done: fitting.done.slice(0, -1) };
  return fitting;
}

/** The annotation's value. */
export function formatRestored({ token, done }: Restored): string {
  const entries = done.map((work) => ({ ...work, timeMs: undefined, time: secondsTime(work.timeMs) }));
  return JSON.stringify({ token, done: entries });
}

function parseRestored(annotation: string | undefined, createdMs: number): Restored | undefined {
  if (annotation === undefined || annotation.length > LONGEST_DONE) return undefined;
  return restored(record(parseJson(annotation)), createdMs);
}

function restored(from: Record<string, unknown>, createdMs: number): Restored | undefined {
  const latestMs = createdMs + AHEAD_MS;
  const isToken = (token: number | undefined): token is number =>
    token !== undefined && token > 0 && token <= latestMs;
  // One entry that the schema refuses would have each write of the Lease's status fail.
  const isWork = ({ key, holder, token, timeMs }: DoneWork) =>
    isOnceKey(key) &&
    isToken(token) &&
    holder.length > 0 &&
    holder.length <= LONGEST_HOLDER &&
    timeMs > 0 &&
    timeMs <= latestMs;
  const token = integer(from["token"]);
  const done = parseDone(from["done"]).filter(isWork);
  const unique = done.filter(({ key }, index) => done.findIndex((other) => other.key === key) === index);
  if (unique.length === 0) return undefined;
  return { token: Math.max(isToken(token) ? token : 0, ...unique.map((work) => work.token)), done: unique };
}

/** A Lease's status once its annotations are taken over. */
export interface TakenOver {
  status: LeaseStatus;
  /** The stored status differs from that. */
  isDoneOutdated: boolean;
  restoredToken?: number;
  forgotten?: ForgottenWork;
}

/** `status` as stored, with what the annotations say of done work. */
export function takeOver(
  status: LeaseStatus,
  annotations: Readonly<Record<string, string>>,
  createdMs: number,
): TakenOver {
  const forgotten = parseForgotten(annotations[FORGET_ANNOTATION]);
  const earlier = parseRestored(annotations[DONE_ANNOTATION], createdMs);
  const isNew = status.lastToken === undefined && status.done === undefined;
  const stored = isNew ? earlier?.done : status.done;
  const isKept = ({ key, token }: DoneWork) =>
    !(forgotten && forgotten.key === key && token <= forgotten.token);
  const done = stored?.filter(isKept);
  return {
    status: done ? { ...status, done } : status,
    isDoneOutdated: done !== undefined && done.length !== (status.done?.length ?? -1),
    ...(earlier && { restoredToken: earlier.token }),
    ...(forgotten && { forgotten }),
  };
}
