import { expect, test } from "vitest";
import { loggedPath } from "../../../src/server/logged-path.ts";

test.each([
  ["/v1/renew", "/v1/renew"],
  ["/v1/renew?token=secret", "/v1/renew"],
  [`/${"a".repeat(200)}`, `/${"a".repeat(99)}…`],
  ["", ""],
])("%s", (url, path) => {
  expect(loggedPath(url)).toBe(path);
});
