import { expect, test } from "vitest";
import { statusError } from "../../../src/kube/status-error.ts";

test.each([
  [401, undefined, "Unauthenticated"],
  [403, "Forbidden", "Forbidden"],
  [404, "NotFound", "NotFound"],
  [409, "Conflict", "Conflict"],
  [409, "AlreadyExists", "AlreadyExists"],
  [410, "Expired", "Gone"],
  [422, "Invalid", "Invalid"],
  [429, "TooManyRequests", "TooManyRequests"],
  [413, undefined, "BadRequest"],
  [500, "InternalError", "Internal"],
  [503, "ServiceUnavailable", "Unreachable"],
  [504, "Timeout", "Unreachable"],
])("HTTP %i with reason %s is %s", (httpStatus, reason, code) => {
  const error = statusError("get pod a/b", httpStatus, { kind: "Status", reason, message: "because" });
  expect(error).toMatchObject({ code, message: `cannot get pod a/b: because (HTTP ${httpStatus})` });
});

test.each([
  [{ details: { retryAfterSeconds: 3 } }, undefined, 3_000],
  [{}, "2", 2_000],
  [{}, "Wed, 21 Oct 2026 07:28:00 GMT", undefined],
  [{}, "-1", undefined],
  ["busy", undefined, undefined],
])("how long to wait is taken from %o or the header %s", (body, header, retryAfterMs) => {
  expect(statusError("list pods", 429, body, header).retryAfterMs).toBe(retryAfterMs);
});

test("what a proxy says in place of a Status is cut", () => {
  expect(statusError("list pods", 502, "x".repeat(5_000)).message.length).toBeLessThan(400);
});
