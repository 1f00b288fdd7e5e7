import { randomBytes } from "node:crypto";
import { afterEach, beforeAll, expect, inject, test } from "vitest";
import type { KubeClient, WatchEvent } from "../../../src/kube/api.ts";
import { createReflector } from "../../../src/kube/reflector.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import {
  CONFIG_MAPS,
  connect,
  createNamespace,
  createWidgets,
  parseThing,
  silent,
  type Thing,
  until,
} from "./fixture.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

const client = connect();
let namespace: string;
let stop = new AbortController();
beforeAll(async () => {
  namespace = await createNamespace(client);
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** A reflector of the objects that have a label of this test's own. */
function follow(through: KubeClient, parse: (value: unknown) => Thing = parseThing) {
  const set = randomBytes(4).toString("hex");
  let lists = 0;
  const counted: KubeClient = {
    ...through,
    list: (...call: [never]) => {
      lists++;
      return through.list(...call);
    },
  };
  const reflector = createReflector({
    client: counted,
    resource: CONFIG_MAPS,
    selector: `set=${set}`,
    parse,
    clock: systemClock(),
    logger: silent,
  });
  const told: string[] = [];
  reflector.subscribe(({ type, object, finalStateKnown }) => {
    told.push(`${type} ${object.name} ${object.color}${finalStateKnown ? "" : " unknown end"}`);
  });
  const names = () => reflector.store.list().map(({ name }) => name);
  return {
    reflector,
    told,
    names,
    lists: () => lists,
    async start() {
      reflector.start(stop.signal);
      await reflector.synced;
    },
    create: (name: string, color = "red") =>
      client.create(
        CONFIG_MAPS,
        { metadata: { namespace, name: `${name}-${set}`, labels: { set } }, data: { color } },
        parseThing,
      ),
    paint: ({ name }: Thing, color: string) =>
      client.patch(CONFIG_MAPS, { namespace, name }, { data: { color } }, { type: "merge" }, parseThing),
    remove: ({ name }: Thing) => client.delete(CONFIG_MAPS, { namespace, name }),
  };
}

/** A client whose watches deliver nothing until `open` is called, and then everything that happened meanwhile. */
function withheldWatch(real: KubeClient) {
  const gate = Promise.withResolvers<void>();
  const watch = async function* (...call: Parameters<KubeClient["watch"]>): AsyncGenerator<WatchEvent> {
    const [, , signal] = call;
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
    );
    await Promise.race([gate.promise, aborted]);
    yield* real.watch(...call);
  };
  return { client: { ...real, watch }, open: () => gate.resolve() };
}

test("a watch whose connection is cut is resumed where it broke, without a new list", async () => {
  const proxy = await startTcpProxy(inject("cluster").apiServerUrl);
  try {
    const { create, remove, start, told, lists, names } = follow(connect(proxy.url));
    const one = await create("one");
    await start();
    const two = await create("two");
    await until("two to be seen", () => names().includes(two.name));
    proxy.cut();
    const three = await create("three");
    await remove(one);
    proxy.mend();
    await until("what was missed", () => names().join() === [two.name, three.name].join());
    expect(told).toEqual([
      `added ${one.name} red`,
      `added ${two.name} red`,
      `added ${three.name} red`,
      `deleted ${one.name} red`,
    ]);
    expect(lists()).toBe(1);
  } finally {
    await proxy.close();
  }
});

test("the server ends an idle watch by itself, before it counts as silent", async () => {
  const ends: string[] = [];
  const overheard: KubeClient = {
    ...client,
    async *watch(resource, options, signal) {
      let by = "the reflector";
      try {
        yield* client.watch(resource, options, signal);
        by = "the server";
      } finally {
        ends.push(by);
      }
    },
  };
  const { start, lists } = follow(overheard);
  await start();
  await until("two watches to have ended", () => ends.length === 2);
  expect([ends, lists()]).toEqual([["the server", "the server"], 1]);
});

test("a version that is too old for the server causes a new list, which finds deletions", async () => {
  const widgets = await createWidgets(client);
  const widget = (name: string) => ({ metadata: { namespace, name } });
  const hold = new AbortController();
  const versions: (string | undefined)[] = [];
  let lists = 0;
  const ancient: KubeClient = {
    ...client,
    list: (...call: [never]) => {
      lists++;
      return client.list(...call);
    },
    // The first watch delivers nothing until it breaks; the second asks for a version from before the resource existed.
    async *watch(resource, options, signal) {
      versions.push(options.resourceVersion);
      if (versions.length === 1) {
        await new Promise((resolve) => hold.signal.addEventListener("abort", resolve, { once: true }));
        throw new Error("cut");
      }
      const resourceVersion = versions.length === 2 ? "1" : options.resourceVersion;
      yield* client.watch(resource, { ...options, resourceVersion }, signal);
    },
  };
  await client.create(widgets, widget("stays"));
  await client.create(widgets, widget("goes"));
  const reflector = createReflector({
    client: ancient,
    resource: widgets,
    parse: parseThing,
    clock: systemClock(),
    logger: silent,
  });
  const told: string[] = [];
  reflector.subscribe(({ type, object, finalStateKnown }) =>
    told.push(`${type} ${object.name} ${finalStateKnown}`),
  );
  reflector.start(stop.signal);
  await reflector.synced;
  await client.delete(widgets, { namespace, name: "goes" });
  hold.abort();
  await until("the deletion to be found", () => told.includes("deleted goes false"));
  expect(lists).toBe(2);
  await client.create(widgets, widget("comes"));
  await until("the watch to go on", () => told.includes("added comes true"));
  expect(reflector.store.list().map(({ name }) => name)).toEqual(["stays", "comes"]);
});

test("relist() shows every write answered before, though the watch delivers nothing", async () => {
  const { client: deaf } = withheldWatch(client);
  const { reflector, create, paint, remove, start, told, lists } = follow(deaf);
  const one = await create("one");
  const two = await create("two");
  await start();
  await paint(one, "blue");
  await remove(two);
  expect(reflector.store.size).toBe(2);
  await reflector.relist();
  expect(reflector.store.list().map(({ color }) => color)).toEqual(["blue"]);
  expect(told.slice(2).sort()).toEqual([`deleted ${two.name} red unknown end`, `modified ${one.name} blue`]);
  expect(lists()).toBe(2);
});

test("an applied answer is announced at once, and late events neither undo nor repeat it", async () => {
  const withheld = withheldWatch(client);
  const { reflector, create, paint, remove, start, told } = follow(withheld.client);
  const one = await create("one");
  await start();
  await paint(one, "green");
  const blue = await paint(one, "blue");
  reflector.apply(blue);
  expect(told).toEqual([`added ${one.name} red`, `modified ${one.name} blue`]);
  withheld.open();
  const marker = await create("marker");
  await until("the watch to catch up", () => told.includes(`added ${marker.name} red`));
  expect(told.slice(2)).toEqual([`added ${marker.name} red`]);

  await remove(one);
  await until("the deletion", () => told.includes(`deleted ${one.name} blue`));
  reflector.apply(blue);
  expect(reflector.store.list().map(({ name }) => name)).toEqual([marker.name]);
});

test("an object that cannot be parsed is skipped; a listener that throws stops no other", async () => {
  const { reflector, create, paint, start, names } = follow(client, (value) => {
    const thing = parseThing(value);
    if (thing.color === "black") throw new Error("too dark");
    return thing;
  });
  const one = await create("one");
  const bad = await create("bad", "black");
  reflector.subscribe(() => {
    throw new Error("a listener's own trouble");
  });
  await start();
  expect(names()).toEqual([one.name]);
  await paint(one, "black");
  await paint(bad, "red");
  await until("the repaired object", () => names().includes(bad.name));
  expect(reflector.store.get(`${namespace}/${one.name}`)?.color).toBe("red");
  await reflector.relist();
  expect(names().sort()).toEqual([bad.name, one.name].sort());
});

test("a stopped reflector ends every wait for it", async () => {
  const { reflector, start } = follow(client);
  await start();
  stop.abort(new Error("the end"));
  await expect(reflector.relist()).rejects.toThrow("the end");
  const other = follow(connect("https://127.0.0.1:9"));
  other.reflector.start(AbortSignal.abort(new Error("never begun")));
  await expect(other.reflector.synced).rejects.toThrow("never begun");
});
