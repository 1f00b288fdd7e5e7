/** OTLP 1 as JSON: an ExportTraceServiceRequest, and what its answer says. */
import { integer, parseJson, record, text } from "../shared/json.ts";
import type { Attributes, Span } from "./span.ts";

/** Whose spans these are: the attributes of the resource, and the version of konductor. */
export interface Source {
  resource: Attributes;
  version: string;
}

const KIND = { internal: 1, server: 2 } as const;
const STATUS_ERROR = 2;

export function formatSpans(spans: readonly Span[], { resource, version }: Source): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: formatAttributes(resource) },
        scopeSpans: [{ scope: { name: "konductor", version }, spans: spans.map(formatSpan) }],
      },
    ],
  });
}

function formatSpan({ traceId, spanId, parentId, name, startMs, endMs, attributes, error }: Span) {
  return {
    ...{ traceId, spanId, name },
    ...(parentId !== undefined && { parentSpanId: parentId }),
    kind: name === "admission" ? KIND.server : KIND.internal,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: formatAttributes(attributes),
    ...(error !== undefined && { status: { code: STATUS_ERROR, message: error } }),
  };
}

/** 64-bit numbers are text in JSON. */
function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms * 1_000))}000`;
}

function formatAttributes(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: formatValue(value) }],
  );
}

function formatValue(value: string | number | boolean) {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
}

/** How many spans a receiver that took the others has not taken. */
export function rejectedIn(answer: string): number {
  const rejected = record(record(parseJson(answer))["partialSuccess"])["rejectedSpans"];
  const count = integer(rejected) ?? Number(text(rejected) ?? 0);
  return Number.isSafeInteger(count) ? Math.max(0, count) : 0;
}
