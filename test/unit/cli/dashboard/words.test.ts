import { expect, test } from "vitest";
import { clockText } from "../../../../src/cli/dashboard/page/axis.ts";
import { barName, holdNotes, sinceText, turnText } from "../../../../src/cli/dashboard/page/words.ts";
import { aPastBar, aPresentHold, aRow, aWaiter, NOW_MS } from "./rows.ts";

const at = (secondsAgo: number) => clockText(NOW_MS - secondsAgo * 1_000, true);
const shape = { id: "t1", x: 0, width: 9, idleMs: undefined, silentX: undefined } as const;

test("a bar says who held, from when to when, how long, and how that ended", () => {
  const past = aPastBar(1, 240, 60, { reason: "Forced", by: "alice" });
  expect(barName({ ...shape, kind: "past", holds: [past] }, NOW_MS)).toBe(
    `held by h1 from ${at(240)} to ${at(60)} (3m), Forced by alice`,
  );
  const holds = [aPastBar(3, 62, 61), aPastBar(2, 64, 63), aPastBar(1, 66, 65)] as const;
  expect(barName({ ...shape, kind: "past", holds }, NOW_MS)).toBe(
    `3 holds from ${at(66)} to ${at(61)}, the last by h3, Released`,
  );
  const hold = aPresentHold({ renewedMs: NOW_MS - 45_000, unreachable: true });
  expect(barName({ ...shape, kind: "present", hold }, NOW_MS)).toBe(
    `held by a since ${at(60)} (60s), unreachable, silent for 45s`,
  );
});

test("a time of another day has its day", () => {
  const past = aPastBar(1, 2 * 86_400, 60);
  expect(barName({ ...shape, kind: "past", holds: [past] }, NOW_MS)).toContain("from Nov 28, ");
});

test.each([
  { turn: undefined, text: "unknown" },
  { turn: { earliestMs: 180_000, latestMs: 720_000 }, text: "in 2m to 11m" },
  { turn: { earliestMs: 180_000, latestMs: undefined }, text: "in 2m or more" },
  { turn: { earliestMs: 10_000, latestMs: 50_000 }, text: "in 0s" },
])("a turn that was told a minute ago is said as $text", ({ turn, text }) => {
  expect(turnText(aWaiter(1, { turn }), 60_000)).toBe(text);
});

test("below the holder stands for how long it holds, or how long nobody has", () => {
  expect(sinceText(aRow({ hold: aPresentHold() }), NOW_MS)).toBe("for 60s");
  expect(sinceText(aRow({ past: [aPastBar(1, 90, 30)] }), NOW_MS)).toBe("for 30s, before: h1");
  expect(sinceText(aRow(), NOW_MS)).toBe("never held");
});

test("what is not as usual with a hold is noted, the worst first", () => {
  expect(holdNotes(aPresentHold(), NOW_MS)).toEqual([]);
  expect(holdNotes(aPresentHold({ renewedMs: NOW_MS - 55_000, renews: false }), NOW_MS)).toEqual([]);
  const odd = { unreachable: true, revoked: "Forced", releasing: true, expired: true, confirmed: false };
  expect(holdNotes(aPresentHold(odd), NOW_MS)).toEqual([
    ...["unreachable", "revoked (Forced)", "releasing", "expired", "not confirmed", "silent for 1s"],
  ]);
});
