/**
 * What an event of a Lease says of the hold that it is about, as annotations, so that older holds than the status has can be shown. Whoever may create
 * events in a namespace can write such an event, too: what is read here is for display, and decides nothing.
 */
import { parseEndReason } from "../lease/hold-codec.ts";
import type { Hold, PastHold } from "../lease/types.ts";
import { defined, record, textMap, timeMs } from "../shared/json.ts";
import { EVENT_COMPONENT, HOLD_ANNOTATION } from "../shared/names.ts";
import { shortText } from "../shared/short-text.ts";
import { isoTime } from "../shared/times.ts";

/** The annotations of an event about a hold. */
export function holdAnnotations({ holder, token }: Pick<Hold, "holder" | "token">): Record<string, string> {
  return { [HOLD_ANNOTATION.holder]: holder, [HOLD_ANNOTATION.token]: String(token) };
}

/** The annotations of an event about a hold's end; the event's reason is that of the end. */
export function endAnnotations(past: PastHold): Record<string, string> {
  return {
    ...holdAnnotations(past),
    [HOLD_ANNOTATION.acquired]: isoTime(past.acquiredMs),
    [HOLD_ANNOTATION.ended]: isoTime(past.endedMs),
    ...(past.by !== undefined && { [HOLD_ANNOTATION.by]: past.by }),
  };
}

const LONGEST_NAME = 253;

/** The token of the hold that an event says it is about. */
export function tokenOfEvent(event: unknown): number | undefined {
  const token = Number(annotationsOf(event)[HOLD_ANNOTATION.token] ?? "none");
  return Number.isSafeInteger(token) && token > 0 ? token : undefined;
}

/** The hold whose end an event tells; undefined for any other event, and for one that does not come from konductor by its own word. */
export function endOfEvent(event: unknown): PastHold | undefined {
  const { reason, reportingComponent, source } = record(event);
  if (reportingComponent !== EVENT_COMPONENT || record(source)["component"] !== EVENT_COMPONENT)
    return undefined;
  const annotations = annotationsOf(event);
  const token = tokenOfEvent(event);
  const endReason = parseEndReason(reason);
  const acquiredMs = timeMs(annotations[HOLD_ANNOTATION.acquired]);
  const endedMs = timeMs(annotations[HOLD_ANNOTATION.ended]);
  if (token === undefined || !endReason || acquiredMs === undefined || endedMs === undefined)
    return undefined;
  if (endedMs < acquiredMs) return undefined;
  return {
    holder: name(annotations[HOLD_ANNOTATION.holder]) ?? "",
    ...{ token, acquiredMs, endedMs, reason: endReason },
    ...defined({ by: name(annotations[HOLD_ANNOTATION.by]) }),
  };
}

function annotationsOf(event: unknown): Record<string, string> {
  return textMap(record(record(event)["metadata"])["annotations"]);
}

function name(value: unknown): string | undefined {
  return shortText(value, LONGEST_NAME);
}
