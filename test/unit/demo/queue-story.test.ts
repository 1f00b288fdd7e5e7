import { expect, test } from "vitest";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { createQueueStory } from "../../../tools/demo/queue-story.ts";
import type { Line } from "../../../tools/demo/timeline.ts";
import { leaseHeldBy, requestOf } from "../gate-api/samples.ts";

/** A story of klease report. `hear` returns the lines that an update adds. */
function listener() {
  let lines: Line[] = [];
  const story = createQueueStory({ exerciseName: (lease) => lease, tell: (line) => lines.push(line) });
  return {
    story,
    hear(lease: Lease, ...requests: LeaseRequest[]) {
      lines = [];
      story.update(lease, requests);
      return lines.map(({ subject, text }) => `${subject} ${text}`);
    },
  };
}

const past = (holder: string, token: number, reason = "Released") => ({
  holder,
  token,
  reason,
  acquired: "2026-01-01T00:00:00Z",
  ended: "2026-01-01T00:00:05.2Z",
});

test("tells a handover and the new places once each", () => {
  const { hear } = listener();
  const [a, b, c] = [requestOf("a", 0), requestOf("b", 1), requestOf("c", 2)];
  const held = leaseHeldBy("a", 1);
  expect(hear(held, a)).toEqual(["a acquired klease report, token 1"]);
  expect(hear(held, a, b, c)).toEqual([
    "b waits, place 1 of 2 (held by a)",
    "c waits, place 2 of 2 (held by a)",
  ]);
  expect(hear(held, a, b, c)).toEqual([]);
  expect(hear(leaseHeldBy("b", 2, { history: [past("a", 1)] }), b, c)).toEqual([
    "a released after 5.2 s",
    "b acquired klease report, token 2",
    "c waits, place 1 of 1 (held by b)",
  ]);
});

test("tells holds that lie between two versions of the klease", () => {
  const { hear } = listener();
  const history = [past("b", 2, "Expired"), past("a", 1, "Terminated")];
  expect(hear(leaseHeldBy("c", 3, { history }))).toEqual([
    "a acquired klease report, token 1",
    "a released after 5.2 s",
    "b acquired klease report, token 2",
    "b lost its hold (Expired) after 5.2 s",
    "c acquired klease report, token 3",
  ]);
});

test("gives no places while the klease is free, since the first waiter is about to acquire it", () => {
  const { hear } = listener();
  expect(hear(leaseHeldBy("a", 1, { phase: "Available" }), requestOf("b", 1))).toEqual([]);
});

test("knows how long a holder had waited", () => {
  const { hear, story } = listener();
  const request = requestOf("b", -11.2);
  hear(leaseHeldBy("a", 1), request);
  expect(story.waitedMs("b")).toBeUndefined();
  hear(leaseHeldBy("b", 2), request);
  expect(story.waitedMs("b")).toBe(11_200);
});
