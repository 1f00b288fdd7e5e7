import { expect, test } from "vitest";
import { createObjectCache } from "../../../src/kube/object-cache.ts";

interface Thing {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  color?: string;
}

function start() {
  const told: string[] = [];
  const cache = createObjectCache<Thing>({
    indexers: { color: ({ color }) => color },
    notify: ({ type, object, old, finalStateKnown }) => {
      const versions = `${old ? `${old.resourceVersion}>` : ""}${object.resourceVersion}`;
      told.push(`${type} ${object.name}/${object.uid}@${versions}${finalStateKnown ? "" : " unknown end"}`);
    },
  });
  const versions = () => cache.store.list().map(({ name, resourceVersion }) => `${name}@${resourceVersion}`);
  return { cache, told, versions };
}

const thing = (name: string, version: number, rest: Partial<Thing> = {}): Thing => ({
  namespace: "ns",
  name,
  uid: "1",
  resourceVersion: String(version),
  ...rest,
});

test("an applied answer is not replaced by older watch events, and is reported once", () => {
  const { cache, told } = start();
  cache.replace([thing("a", 8)], "8", new Set());
  cache.apply(thing("a", 10)); // compared as numbers: "10" < "8" as text
  cache.observe(thing("a", 9));
  cache.observe(thing("a", 10));
  cache.observe(thing("a", 11));
  expect(told).toEqual(["added a/1@8", "modified a/1@8>10", "modified a/1@10>11"]);
});

test("an answer that comes after the deletion does not restore the object", () => {
  const { cache, told, versions } = start();
  cache.replace([thing("a", 5)], "5", new Set());
  cache.observeDeletion(thing("a", 7));
  cache.apply(thing("a", 6));
  expect(versions()).toEqual([]);
  expect(told.at(-1)).toBe("deleted a/1@7");
});

test("an answer about an object that was created and deleted between two lists is dropped, too", () => {
  const { cache, versions } = start();
  cache.replace([], "20", new Set());
  cache.apply(thing("a", 19));
  expect(versions()).toEqual([]);
  cache.apply(thing("b", 21));
  expect(versions()).toEqual(["b@21"]);
});

test("a list shows deletions of unknown last state, and keeps what was written after it", () => {
  const { cache, told, versions } = start();
  cache.replace([thing("a", 1), thing("b", 2), thing("c", 3)], "3", new Set());
  cache.apply(thing("d", 12));
  cache.replace([thing("b", 2)], "10", new Set(["ns/c"]));
  expect(versions()).toEqual(["b@2", "c@3", "d@12"]);
  expect(told.filter((line) => line.startsWith("deleted"))).toEqual(["deleted a/1@1 unknown end"]);
});

test("a new object of the same name reports the unseen deletion of the first", () => {
  const { cache, told } = start();
  cache.replace([thing("a", 1)], "1", new Set());
  cache.observe(thing("a", 5, { uid: "2" }));
  cache.observeDeletion(thing("a", 3)); // late, about the first object
  expect(told).toEqual(["added a/1@1", "deleted a/1@1 unknown end", "added a/2@5"]);
});

test("the deletion of an object that can no longer be parsed ends its last parsed version", () => {
  const { cache, told } = start();
  cache.replace([thing("a", 1)], "1", new Set());
  cache.observeAbsence("ns/a", "4");
  expect(told.at(-1)).toBe("deleted a/1@1 unknown end");
});

test("indexes follow every change", () => {
  const { cache } = start();
  const names = (color: string) => cache.store.byIndex("color", color).map(({ name }) => name);
  cache.replace(
    [thing("a", 1, { color: "red" }), thing("b", 2, { color: "red" }), thing("c", 3)],
    "3",
    new Set(),
  );
  expect(names("red")).toEqual(["a", "b"]);
  cache.observe(thing("a", 4, { color: "blue" }));
  cache.observeDeletion(thing("b", 5, { color: "red" }));
  expect([names("red"), names("blue")]).toEqual([[], ["a"]]);
  expect(() => cache.store.byIndex("shape", "round")).toThrow("no index is called shape");
});
