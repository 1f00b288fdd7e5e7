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
])("the time to wait is taken from %o or the header %s", (body, header, retryAfterMs) => {
  expect(statusError("list pods", 429, body, { retryAfter: header }).retryAfterMs).toBe(retryAfterMs);
});

test.each([
  ["the uid that it was sent to", [{ field: "metadata.uid" }], "Conflict"],
  ["the uid among others", [{ field: "metadata.name" }, { field: "metadata.uid" }], "Conflict"],
  ["another field", [{ field: "metadata.name" }], "Invalid"],
  ["nothing", undefined, "Invalid"],
])("a patch that is refused for %s", (_, causes, code) => {
  const body = { kind: "Status", reason: "Invalid", details: { causes } };
  expect(statusError("patch configmap a/b", 422, body).code).toBe(code);
});

const missing = { kind: "Status", reason: "NotFound", message: "gone" };

test.each([
  ["a Status that names the object", { ...missing, details: { kind: "pods", name: "b" } }, "NotFound"],
  ["a Status that names nothing", missing, "NotFound"],
  ["a Status about another object", { ...missing, details: { kind: "pods", name: "c" } }, "BadRequest"],
  [
    "a Status about the object's namespace",
    { ...missing, details: { kind: "namespaces", name: "b" } },
    "BadRequest",
  ],
  ["a Status with another reason", { ...missing, reason: "Expired" }, "BadRequest"],
  ["a path that is not served", "404 page not found\n", "BadRequest"],
  ["a proxy's page", "<html>no such host</html>", "BadRequest"],
  ["a proxy's JSON", { error: "no such host" }, "BadRequest"],
])("only a Status about the object shows that it is gone: %s", (_, body, code) => {
  const about = { plural: "pods", name: "b" };
  expect(statusError("get pod a/b", 404, body, { about })).toMatchObject({ code });
});

test("a proxy's text in place of a Status is truncated", () => {
  expect(statusError("list pods", 502, "x".repeat(5_000)).message.length).toBeLessThan(400);
});
