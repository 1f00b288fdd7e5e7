/** What the event of a hold's end says of the hold, and which events are not believed. */
import { expect, test } from "vitest";
import type { PastHold } from "../../../src/lease/types.ts";
import { endAnnotations, endOfEvent, tokenOfEvent } from "../../../src/objects/hold-events.ts";

const PAST: PastHold = {
  holder: "run-1",
  token: 41,
  acquiredMs: 1_000,
  endedMs: 61_250,
  reason: "Forced",
  by: "alice",
};

const eventOf = (annotations: Record<string, string>, change: object = {}) => ({
  metadata: { annotations },
  reason: "Forced",
  reportingComponent: "konductor",
  source: { component: "konductor" },
  ...change,
});

test("the event of an end tells the same of the hold as the klease's history", () => {
  expect(endOfEvent(eventOf(endAnnotations(PAST)))).toEqual(PAST);
  const { by: _, ...nobody } = { ...PAST, reason: "Fenced" as const };
  expect(endOfEvent(eventOf(endAnnotations(nobody), { reason: "Fenced" }))).toEqual(nobody);
});

test.each<[string, object]>([
  ["another component", { reportingComponent: "mallory" }],
  ["another source", { source: { component: "mallory" } }],
  ["no end of a hold", { reason: "Granted" }],
  ["no annotations", { metadata: {} }],
  ["a token that is none", eventOf({ ...endAnnotations(PAST), "konductor.io/token": "1e99" })],
  ["an end before its beginning", eventOf(endAnnotations({ ...PAST, endedMs: 999 }))],
  ["a time that is none", eventOf({ ...endAnnotations(PAST), "konductor.io/ended": "tomorrow" })],
])("%s: no hold is read from it", (_, change) => {
  expect(endOfEvent(eventOf(endAnnotations(PAST), change))).toBeUndefined();
});

test("a name of any length is cut", () => {
  const long = endOfEvent(eventOf(endAnnotations({ ...PAST, holder: "x".repeat(10_000) })));
  expect(long?.holder).toHaveLength(253);
});

test("every event about a hold has its token", () => {
  expect(tokenOfEvent(eventOf({ "konductor.io/token": "41" }))).toBe(41);
  for (const token of ["", "0", "-1", "x", "4.5"])
    expect(tokenOfEvent(eventOf({ "konductor.io/token": token }))).toBeUndefined();
});
