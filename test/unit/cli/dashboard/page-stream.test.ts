/** What a page is told over a real connection: how changes are gathered, and what becomes of a page that does not read. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPageStream } from "../../../../src/cli/dashboard/page-stream.ts";
import type { Picture, PictureListener } from "../../../../src/cli/dashboard/picture.ts";
import { turnedClock } from "../../gate/turned-clock.ts";
import { openLines, reading } from "./line-reader.ts";

const hello = { type: "hello", user: "alice", server: "s", namespace: undefined, version: "1" } as const;
let server: Server;
let clock = turnedClock();
let rows = new Map<string, string>();
let listeners: PictureListener[] = [];
let listed = Promise.withResolvers<void>();

beforeEach(async () => {
  clock = turnedClock();
  rows = new Map();
  listeners = [];
  listed = Promise.withResolvers();
  const picture: Picture = {
    synced: listed.promise,
    keys: () => [...rows.keys()],
    rowJson: (key) => rows.get(key),
    lease: () => undefined,
    pastOf: () => [],
    requestsOf: () => [],
    troubles: () => [["events", "no events"]],
    subscribe(listener) {
      listeners.push(listener);
      return () => {
        listeners = listeners.filter((each) => each !== listener);
      };
    },
    start() {},
  };
  server = createServer((_, response) => openPageStream({ response, picture, hello, clock, nowMs: () => 7 }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const change = (key: string) => {
  for (const { changed } of listeners) changed(key);
};

test("it begins with hello, troubles and every row, and says once when the lists are complete", async () => {
  rows.set("a/x", '{"key":"a/x"}');
  const next = reading(await openLines(server));
  expect(await next()).toEqual([
    hello.namespace === undefined && { type: "hello", user: "alice", server: "s", version: "1" },
    { type: "trouble", about: "events", message: "no events" },
    { type: "time", nowMs: 7 },
    { type: "lease", lease: { key: "a/x" } },
  ]);
  listed.resolve();
  expect(await next()).toEqual([{ type: "synced" }]);
});

test("changes within 100 ms are one line, each row once and as it is then; a klease that is gone is told", async () => {
  rows.set("a/x", "1").set("a/y", "1");
  const next = reading(await openLines(server));
  await next();
  for (const key of ["a/x", "a/y", "a/x", "a/z"]) change(key);
  rows.set("a/x", "2").set("a/y", "3");
  await clock.turn(99);
  rows.set("a/x", "4");
  await clock.turn(1);
  expect(await next()).toEqual([
    { type: "lease", lease: 4 },
    { type: "lease", lease: 3 },
    { type: "gone", key: "a/z" },
  ]);
});

test("the time is told every 10 s, so that a page notices a dead connection", async () => {
  const next = reading(await openLines(server));
  await next();
  for (let times = 0; times < 2; times++) {
    await clock.turn(10_000);
    await clock.turn(100);
    expect(await next()).toEqual([{ type: "time", nowMs: 7 }]);
  }
});

test("a page that does not read gets no more rows, and is given up after 30 s", async () => {
  for (let index = 0; index < 400; index++) rows.set(`a/${index}`, JSON.stringify("x".repeat(50_000)));
  let taken = 0;
  const get = rows.get.bind(rows);
  rows.get = (key) => {
    taken++;
    return get(key);
  };
  const page = await openLines(server);
  page.on("error", () => undefined);
  await clock.waitedFor(30_000);
  expect(taken).toBeLessThan(300);
  expect(listeners).toHaveLength(1);
  await clock.turn(30_000);
  while (listeners.length > 0) await new Promise((resolve) => setImmediate(resolve));
});
