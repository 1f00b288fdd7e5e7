import { expect, test } from "vitest";
import { createModel } from "../../../../src/cli/dashboard/page/model.ts";
import type { PageMessage } from "../../../../src/cli/dashboard/wire.ts";
import { aRow } from "./rows.ts";

const HELLO: PageMessage = { type: "hello", user: "alice", server: "s", namespace: undefined, version: "1" };
const lease = (name: string, waiting = 0): PageMessage => ({ type: "lease", lease: aRow({ name, waiting }) });
const names = (model: ReturnType<typeof createModel>) =>
  [...model.rows().values()].map((row) => `${row.lease.name} ${row.lease.waiting}`);

test("rows come, change and go", () => {
  const model = createModel();
  model.apply([HELLO, lease("a"), lease("b")], 0);
  expect(model.isSynced()).toBe(false);
  model.apply([{ type: "synced" }, lease("a", 2), { type: "gone", key: "shop/b" }], 0);
  expect(model.isSynced()).toBe(true);
  expect(names(model)).toEqual(["a 2"]);
});

test("after a break the rows of before stay until the new ones are complete, and then those that are gone go", () => {
  const model = createModel();
  model.apply([HELLO, lease("a"), lease("b"), { type: "synced" }], 0);
  model.apply([HELLO, lease("b", 1)], 0);
  expect(names(model)).toEqual(["a 0", "b 0"]);
  model.apply([{ type: "synced" }], 0);
  expect(names(model)).toEqual(["b 1"]);
});

test("the time is the API server's, and moves with the page's own clock", () => {
  const model = createModel();
  model.apply([{ type: "time", nowMs: 5_000_000 }], 1_000);
  expect(model.nowMs(1_250)).toBe(5_000_250);
});

test("a trouble is told until it is over, and forgotten with the stream that told it", () => {
  const model = createModel();
  const trouble = (message: string): PageMessage => ({ type: "trouble", about: "events", message });
  model.apply([HELLO, trouble("you may not list events in shop")], 0);
  expect(model.troubles()).toEqual(["you may not list events in shop"]);
  model.apply([trouble("")], 0);
  expect(model.troubles()).toEqual([]);
  model.apply([trouble("once more"), HELLO], 0);
  expect(model.troubles()).toEqual([]);
});
