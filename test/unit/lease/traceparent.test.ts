/** W3C Trace Context, of which only version 00 is read: whoever writes an object may write anything. */
import { expect, it, test } from "vitest";
import { formatTraceParent, parseTraceParent } from "../../../src/lease/traceparent.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";

it.each([
  ["01", true],
  ["03", true],
  ["00", false],
  ["fe", false],
])("reads flags %s as sampled: %s", (flags, isSampled) => {
  expect(parseTraceParent(`00-${TRACE_ID}-${SPAN_ID}-${flags}`)).toEqual({
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    isSampled,
  });
});

test("reads what it writes", () => {
  for (const isSampled of [true, false]) {
    const named = { traceId: TRACE_ID, spanId: SPAN_ID, isSampled };
    expect(parseTraceParent(formatTraceParent(named))).toEqual(named);
  }
});

it.each([
  undefined,
  "",
  `00-${TRACE_ID}-${SPAN_ID}`,
  `00-${TRACE_ID}-${SPAN_ID}-1`,
  `00-${TRACE_ID}-${SPAN_ID}-01-more`,
  `00-${TRACE_ID}-${SPAN_ID}-01\n`,
  ` 00-${TRACE_ID}-${SPAN_ID}-01`,
  `01-${TRACE_ID}-${SPAN_ID}-01`,
  `ff-${TRACE_ID}-${SPAN_ID}-01`,
  `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
  `00-${"0".repeat(32)}-${SPAN_ID}-01`,
  `00-${TRACE_ID}-${"0".repeat(16)}-01`,
  `00-${TRACE_ID}x-${SPAN_ID}-01`,
])("does not take %j", (text) => {
  expect(parseTraceParent(text)).toBeUndefined();
});
