/** What is read of a list that is longer than the dashboard reads, and what a feed does about trouble. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { follow } from "../../../../src/cli/dashboard/feed.ts";
import type { KubeClient, ListOptions, Parse } from "../../../../src/kube/api.ts";
import { EVENTS } from "../../../../src/kube/resources.ts";
import { KonductorError } from "../../../../src/shared/errors.ts";
import { type TurnedClock, turnedClock } from "../../gate/turned-clock.ts";

let clock: TurnedClock;
let stop: AbortController;
beforeEach(() => {
  clock = turnedClock();
  stop = new AbortController();
});
afterEach(() => stop.abort());

/** A client whose server has as many events as are said of each namespace, in the order of namespaces, as a real one. */
function withEvents(counts: Readonly<Record<string, number>>) {
  const asked: string[] = [];
  const rights = { areGiven: true };
  let version = 0;
  const all = Object.entries(counts).flatMap(([namespace, count]) =>
    Array.from({ length: count }, (_, index) => ({ metadata: { namespace, uid: `${namespace}-${index}` } })),
  );
  const client: KubeClient = Object.assign(Object.create(null), {
    async list<T>(_: unknown, options: ListOptions, parse: Parse<T>) {
      if (!rights.areGiven) throw new KonductorError("Forbidden", "you may not list events");
      const { fieldSelector = "", limit = 0 } = options;
      const from = Number(options.continue ?? 0);
      if (from === 0) asked.push(fieldSelector);
      const left = all.filter(
        ({ metadata: { namespace } }) =>
          !fieldSelector.split(",").includes(`metadata.namespace!=${namespace}`),
      );
      return {
        items: left.slice(from, from + limit).map((each) => parse(each)),
        resourceVersion: String(from === 0 ? ++version : version),
        continue: from + limit < left.length ? String(from + limit) : undefined,
      };
    },
    async *watch(_: unknown, { resourceVersion }: { resourceVersion: string }, signal: AbortSignal) {
      asked.push(`watch from ${resourceVersion}`);
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  return { client, asked, rights };
}

/** How many events of each namespace are read, and whether there are more. */
async function read(client: KubeClient, namespace?: string) {
  const listed = Promise.withResolvers<{ counts: Record<string, number>; isCut: boolean }>();
  follow(
    {
      ...{ client, resource: EVENTS, scope: { namespace, fieldSelector: "reason=Any" }, clock },
      ...{ parse: () => "read", observe: () => undefined },
    },
    {
      listed(items, isCut) {
        const counts: Record<string, number> = {};
        for (const uid of items.keys()) {
          const [of = ""] = uid.split("-");
          counts[of] = (counts[of] ?? 0) + 1;
        }
        listed.resolve({ counts, isCut });
      },
      ...{ put() {}, drop() {}, troubled: (error: unknown) => listed.reject(error) },
    },
    stop.signal,
  );
  return await listed.promise;
}

test("a namespace full of events does not hide those of the namespaces behind it", async () => {
  const { client, asked } = withEvents({ a: 9_000, b: 10, c: 1_000, d: 7 });
  const { counts, isCut } = await read(client);
  expect(counts).toMatchObject({ b: 10, c: 1_000, d: 7 });
  expect(isCut).toBe(true);
  await clock.turn(0);
  expect(asked).toEqual(["reason=Any", "reason=Any,metadata.namespace!=a", "watch from 1"]);
});

test("what several lists have read to the end is not called cut", async () => {
  const { client } = withEvents({ a: 1_500, b: 1_500 });
  expect(await read(client)).toEqual({ counts: { a: 1_500, b: 1_500 }, isCut: false });
});

test("of full namespaces without number five lists are read", async () => {
  const names = Array.from({ length: 8 }, (_, index) => [`n${String(index).padStart(2, "0")}`, 3_000]);
  const { client, asked } = withEvents(Object.fromEntries(names));
  expect((await read(client)).isCut).toBe(true);
  await clock.turn(0);
  expect(asked).toHaveLength(6);
});

test("of one namespace one list is read", async () => {
  const { client, asked } = withEvents({ a: 9_000 });
  expect((await read(client, "a")).isCut).toBe(true);
  await clock.turn(0);
  expect(asked).toEqual(["reason=Any", expect.stringContaining("watch from")]);
});

test("a user who may see nothing is asked for again in a minute", async () => {
  const { client, asked, rights } = withEvents({ a: 1 });
  rights.areGiven = false;
  await expect(read(client)).rejects.toMatchObject({ code: "Forbidden" });
  rights.areGiven = true;
  expect(asked).toEqual([]);
  await clock.turn(60_000);
  expect(asked).toEqual(["reason=Any", "watch from 1"]);
});
