/**
 * Ids of traces and spans. No replica sees a whole hold, and none asks another: each computes the ids of spans that it has not seen from
 * uids and tokens, which all of them know.
 */
import { createHash, randomBytes } from "node:crypto";
import { formatTraceParent } from "../lease/traceparent.ts";

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

/** The span `name` of what uids and token tell from all else. */
export function spanIdOf(name: string, ...parts: readonly (string | number)[]): string {
  const digest = createHash("sha256")
    .update([name, ...parts].join("\n"))
    .digest("hex");
  return digest.slice(0, 2 * SPAN_ID_BYTES);
}

export const randomSpanId = () => randomBytes(SPAN_ID_BYTES).toString("hex");

/** A new trace and its root. `ratio`: how likely it is recorded, from 0 to 1. */
export function newTraceParent(ratio: number, random: () => number = Math.random): string {
  const traceId = randomBytes(TRACE_ID_BYTES).toString("hex");
  return formatTraceParent({ traceId, spanId: randomSpanId(), isSampled: random() < ratio });
}
