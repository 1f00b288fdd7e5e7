/**
 * A place in a trace, as W3C Trace Context spells it: the trace, and the span under which further ones hang. Whoever writes an object writes
 * it, so it decides nothing but where konductor's spans are shown.
 */
export interface TraceParent {
  /** 32 lowercase hex digits, not all 0. */
  traceId: string;
  /** 16 lowercase hex digits, not all 0. */
  spanId: string;
  /** Whether spans of this trace are recorded. */
  isSampled: boolean;
}

const PATTERN = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const SAMPLED = 1;

/** What a user may write. */
export const TRACEPARENT_RULE =
  'a W3C traceparent of version 00 such as "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"';

/** undefined for anything but a traceparent of version 00. */
export function parseTraceParent(text: string | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags = ""] = text?.match(PATTERN) ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** `text` if it is a traceparent. */
export function traceParentIn(text: string | undefined): string | undefined {
  return parseTraceParent(text) && text;
}

export function formatTraceParent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
