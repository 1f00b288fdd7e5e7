import { describe, expect, test } from "vitest";
import {
  parseAcquire,
  parseHold,
  parseRelease,
  parseRenew,
} from "../../../src/server/gate-api/wire/messages.ts";

const HOLD = { lease: "nightly-report", token: 7 };

describe("what gate and keeper send", () => {
  test("is read without unknown fields", () => {
    expect(parseAcquire({ lease: "a.b-c", priority: "high" })).toEqual({ lease: "a.b-c" });
    expect(parseAcquire({ lease: "a", lostToken: 3 })).toEqual({ lease: "a", lostToken: 3 });
    expect(parseHold({ ...HOLD, more: true })).toEqual(HOLD);
    expect(parseRenew({ ...HOLD, ttlMs: 15_000 })).toEqual({ ...HOLD, ttlMs: 15_000 });
    // The ttl of a klease may be as long as a Go duration.
    const longestMs = 2_562_047 * 3_600_000;
    expect(parseRenew({ ...HOLD, ttlMs: longestMs })).toEqual({ ...HOLD, ttlMs: longestMs });
    expect(parseRelease(HOLD)).toEqual(HOLD);
    expect(parseRelease({ ...HOLD, sincePreStopMs: 0 })).toEqual({ ...HOLD, sincePreStopMs: 0 });
  });

  test.each([
    ["text instead of an object", () => parseHold("lease"), /^lease: /],
    ["no lease", () => parseAcquire({}), /^lease: /],
    ["a lease that is a path", () => parseAcquire({ lease: "../pods" }), /^lease: /],
    ["a lease that is too long", () => parseAcquire({ lease: "a".repeat(64) }), /^lease: /],
    ["an upper case lease", () => parseAcquire({ lease: "Report" }), /^lease: /],
    ["a lost token that is not a number", () => parseAcquire({ lease: "a", lostToken: "3" }), /^lostToken: /],
    ["no token", () => parseHold({ lease: "a" }), /^token: /],
    ["token 0", () => parseHold({ lease: "a", token: 0 }), /^token: /],
    [
      "a token that a number cannot represent exactly",
      () => parseHold({ lease: "a", token: 2 ** 53 }),
      /^token: /,
    ],
    ["a ttl under 1 s", () => parseRenew({ ...HOLD, ttlMs: 999 }), /^ttlMs: .* from 1000 /],
    ["a fraction", () => parseRenew({ ...HOLD, ttlMs: 15_000.5 }), /^ttlMs: /],
    ["negative time", () => parseRelease({ ...HOLD, sincePreStopMs: -1 }), /^sincePreStopMs: /],
  ])("%s is refused with the field's name", (_what, parse, message) => {
    expect(parse).toThrow(
      expect.objectContaining({ code: "BadRequest", message: expect.stringMatching(message) }),
    );
  });
});
