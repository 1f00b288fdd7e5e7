/** What a page is told of a story over a real connection, when there is nothing new to tell, and after it has hung up. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import type { Picture, PictureListener } from "../../../../src/cli/dashboard/picture.ts";
import { openStoryStream } from "../../../../src/cli/dashboard/story-stream.ts";
import type { KubeClient } from "../../../../src/kube/api.ts";
import { createServerClock } from "../../../../src/kube/server-clock.ts";
import { turnedClock } from "../../gate/turned-clock.ts";
import { openLines, reading } from "./line-reader.ts";

test("a story is told once, a word every 10 s keeps its connection, and hanging up ends all of it", async () => {
  const clock = turnedClock();
  const listeners = new Set<PictureListener>();
  const picture: Picture = {
    synced: Promise.resolve(),
    ...{ keys: () => [], rowJson: () => undefined, requestsOf: () => [], troubles: () => [], start() {} },
    ...{ lease: () => undefined, pastOf: () => [] },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  // Of a klease that is not there nothing is read.
  const client = {} as KubeClient;
  const reader = { client, clock, server: createServerClock(clock), sentenceOf: String };
  const hold = { namespace: "ns", lease: "nightly", token: 1 };
  const server = createServer((_, response) => openStoryStream({ response, reader, picture, hold }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const page = await openLines(server);
  const next = reading(page);
  await clock.turn(500);
  expect(await next()).toEqual([]);
  expect(await next()).toEqual([
    { type: "untold", message: "There is no klease nightly in namespace ns any more." },
  ]);
  for (const { changed } of listeners) changed("ns/nightly");
  await clock.turn(10_000);
  await clock.turn(500);
  expect(await next()).toEqual([]);
  expect(listeners.size).toBe(1);
  page.destroy();
  while (listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  server.close();
});
