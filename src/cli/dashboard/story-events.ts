/** Events, as the story of a hold tells them. */
import { endOfEvent, tokenOfEvent } from "../../objects/hold-events.ts";
import { record, timeMs } from "../../shared/json.ts";
import { shortText } from "../../shared/short-text.ts";
import type { Subject } from "./story-pods.ts";
import type { StoryEvent } from "./wire.ts";

/** What is kept of an event: 5 KB at most. */
export interface ReadEvent extends StoryEvent {
  /** Of the hold that it says it is about. */
  token: number | undefined;
}

/** When a hold lasted. */
export interface Span {
  fromMs: number;
  /** Infinity for the present hold. */
  toMs: number;
}

/** Events have whole seconds, and some come before the grant or after the end that they belong to. */
const AROUND_MS = 2_000;
/** Of an object that is not the klease, such as the pod: it was scheduled before it was granted. */
const BEFORE_MS = 600_000;
const LONGEST_WORD = 128;
const LONGEST_NAME = 253;
const LONGEST_MESSAGE = 1_024;

export function spanOf({ hold, past }: Subject): Span {
  return hold
    ? { fromMs: hold.acquiredMs, toMs: Number.POSITIVE_INFINITY }
    : { fromMs: past.acquiredMs, toMs: past.endedMs };
}

/** Whether an event of the klease is about this hold. One that names no hold, as those of konductor 0.1.0, counts by its time. */
export function isOfHold({ token: named, atMs }: ReadEvent, token: number, { fromMs, toMs }: Span): boolean {
  if (named !== undefined) return named === token;
  return atMs >= fromMs - AROUND_MS && atMs <= toMs + AROUND_MS;
}

/** Whether an event of an object with the holder's name is about its pod or Job, around the hold. */
export function isOfHolder({ about, atMs }: ReadEvent, { fromMs, toMs }: Span): boolean {
  const isWorkload = about.startsWith("Pod/") || about.startsWith("Job/");
  return isWorkload && atMs >= fromMs - BEFORE_MS && atMs <= toMs + BEFORE_MS;
}

/** Reads a v1 Event. */
export function parseStoryEvent(event: unknown): ReadEvent {
  const { involvedObject, lastTimestamp, eventTime, metadata, type, reason, message } = record(event);
  const { kind, name } = record(involvedObject);
  return {
    token: tokenOfEvent(event),
    // An end says its own time; all else has whole seconds, and a grant in the same second comes first.
    atMs:
      endOfEvent(event)?.endedMs ??
      timeMs(lastTimestamp) ??
      timeMs(eventTime) ??
      timeMs(record(metadata)["creationTimestamp"]) ??
      0,
    type: type === "Warning" ? "Warning" : "Normal",
    reason: shortText(reason, LONGEST_WORD) ?? "",
    message: shortText(message, LONGEST_MESSAGE) ?? "",
    about: `${shortText(kind, LONGEST_WORD) ?? ""}/${shortText(name, LONGEST_NAME) ?? ""}`,
  };
}
