import { expect, test } from "vitest";
import { type Choice, orderRows, shownWaiters } from "../../../../src/cli/dashboard/page/order.ts";
import { aPresentHold, aRow, aWaiter, NOW_MS } from "./rows.ts";

const ROWS = [
  aRow({ name: "b", waiting: 5, waiters: [aWaiter(1, { sinceMs: NOW_MS - 5_000 })] }),
  aRow({ name: "a", hold: aPresentHold({ holder: "Deploy-7" }) }),
  // Its first in the queue came last, with a higher priority.
  aRow({
    name: "c",
    waiting: 2,
    waiters: [aWaiter(1, { sinceMs: NOW_MS - 1_000 }), aWaiter(2, { sinceMs: NOW_MS - 9_000 })],
  }),
].map((lease) => ({ lease, atMs: 0 }));
const CHOICE: Choice = { filter: "", sort: "wait", onlyWaiting: false };
const chosen = (change: Partial<Choice>) =>
  orderRows(ROWS, { ...CHOICE, ...change }).map(({ lease }) => lease.name);

test.each([
  { sort: "wait", names: ["c", "b", "a"] },
  { sort: "waiting", names: ["b", "c", "a"] },
  { sort: "name", names: ["a", "b", "c"] },
] as const)("the order by $sort", ({ sort, names }) => {
  expect(chosen({ sort })).toEqual(names);
});

test.each([
  { filter: "deploy", names: ["a"] },
  { filter: "SHOP/b", names: ["b"] },
  { filter: "shop w2", names: ["c"] },
  { filter: "shop nobody", names: [] },
])("a filter by $filter finds namespace, name, holder and waiters", ({ filter, names }) => {
  expect(chosen({ filter })).toEqual(names);
});

test("rows without waiters can be left out", () => {
  expect(chosen({ onlyWaiting: true })).toEqual(["c", "b"]);
});

test("whoever waits and is named by the filter is shown first, with its place", () => {
  const waiters = [1, 2, 3, 4, 5].map((place) => aWaiter(place));
  const places = (filter: string) => shownWaiters(waiters, filter, 2).map(({ place }) => place);
  expect([places(""), places("shop W5"), places("shop")]).toEqual([
    [1, 2],
    [5, 1],
    [1, 2],
  ]);
});
