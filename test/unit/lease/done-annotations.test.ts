/** What annotations say of done work: what an admin has konductor forget, and what a restored klease remembers. */
import { describe, expect, test } from "vitest";
import { formatLeaseStatus, parseLease } from "../../../src/lease/codec.ts";
import { formatForgotten, formatRestored, restoredFrom } from "../../../src/lease/done-annotations.ts";
import { nextToken } from "../../../src/lease/grant.ts";
import type { DoneWork } from "../../../src/lease/types.ts";
import { DONE_ANNOTATION, FORGET_ANNOTATION } from "../../../src/shared/names.ts";
import { aLease, NOW_MS } from "./samples.ts";

const DONE: readonly DoneWork[] = [
  { key: "schema-v42", holder: "second", token: 9, timeMs: NOW_MS - 60_000 },
  { key: "seed", holder: "first", token: 7, timeMs: NOW_MS - 120_000 },
];
const createdMs = Date.parse("2026-01-01T00:00:00Z");
const entry = (more: object = {}) => ({
  ...{ key: "a", holder: "x", token: 7, time: "2026-01-01T00:00:00Z" },
  ...more,
});

/** A klease as the API server has it. */
function stored(annotations: object, status: object = {}) {
  const metadata = {
    namespace: "ns",
    name: "nightly",
    creationTimestamp: "2026-01-01T00:00:00Z",
    annotations,
  };
  return parseLease({ metadata, spec: { ttl: "1m" }, status });
}
const withDone = (done: readonly DoneWork[] = DONE) => {
  const lease = aLease({ lastToken: 9, done });
  return formatLeaseStatus(lease, lease.status, NOW_MS);
};
const keysOf = ({ status }: ReturnType<typeof stored>) => status.done?.map(({ key }) => key);

describe("what is to be forgotten", () => {
  const forget = (key: string, token: number) => ({
    [FORGET_ANNOTATION]: formatForgotten({ key, token, by: "ada" }),
  });

  test("is seen as forgotten at once, and stored with the next write", () => {
    const lease = stored(forget("schema-v42", 9), withDone());
    expect(keysOf(lease)).toEqual(["seed"]);
    expect(lease).toMatchObject({ isDoneOutdated: true, forgotten: { by: "ada" } });
    const written = stored(forget("schema-v42", 9), withDone(lease.status.done));
    expect(written.isDoneOutdated).toBe(false);
    expect(keysOf(stored(forget("seed", 7), withDone([{ ...DONE[1], token: 7 } as DoneWork])))).toEqual([]);
  });

  test("does not hit a later success of the same work", () => {
    expect(keysOf(stored(forget("schema-v42", 8), withDone()))).toEqual(["schema-v42", "seed"]);
  });

  test.each(["", "schema-v42", "{}", '{"key":"schema-v42"}', '{"key":"schema-v42","token":"9","by":"ada"}'])(
    "is nothing if the annotation is %j",
    (annotation) => {
      expect(keysOf(stored({ [FORGET_ANNOTATION]: annotation }, withDone()))).toHaveLength(2);
    },
  );
});

describe("a klease that is created from the manifest of an earlier one", () => {
  const restored = restoredFrom(withDone(), createdMs);
  const annotation = restored && formatRestored(restored);
  const lease = stored({ [DONE_ANNOTATION]: annotation });

  test("remembers what was done", () => {
    expect(lease.status.done).toEqual(DONE);
    expect(lease.isDoneOutdated).toBe(true);
  });

  test("grants no token again that the earlier one may have granted", () => {
    const highest = createdMs + 5_000;
    const status = { ...withDone(), fencingToken: highest };
    const from = restoredFrom(status, createdMs);
    const created = stored({ [DONE_ANNOTATION]: from && formatRestored(from) });
    expect(nextToken(created, [], createdMs)).toBe(highest + 1);
    expect(nextToken(lease, [], createdMs)).toBe(createdMs);
  });

  test("has a list of its own from its first write on, whatever the annotation says", () => {
    const written = stored({ [DONE_ANNOTATION]: annotation }, withDone([]));
    expect(written.status.done).toEqual([]);
    expect(written.isDoneOutdated).toBe(false);
  });

  test.each<[string, unknown]>([
    ["no status", undefined],
    ["nothing done", { phase: "Available" }],
    ["a key that is none", { done: [entry({ key: "a b" })] }],
    ["no list", { done: "schema-v42" }],
    ["a token ahead of the time", { done: [entry({ token: createdMs + 3_600_001 })] }],
    ["a token below 1", { done: [entry({ token: 0 })] }],
    ["a holder that the schema refuses", { done: [entry({ holder: "h".repeat(254) })] }],
    ["no holder", { done: [entry({ holder: undefined })] }],
    ["a time that the schema refuses", { done: [entry({ time: "+012026-01-01T00:00:00Z" })] }],
    ["a time before year 0", { done: [entry({ time: "-002026-01-01T00:00:00Z" })] }],
    ["a time ahead of the time", { done: [entry({ time: "2026-01-01T01:00:01Z" })] }],
    ["no time", { done: [entry({ time: undefined })] }],
  ])("remembers nothing from a manifest with %s", (_, status) => {
    expect(restoredFrom(status, createdMs)).toBeUndefined();
  });

  test("is granted no tokens that lie ahead of the time, whatever its manifest says", () => {
    const from = restoredFrom({ fencingToken: createdMs + 3_600_001, done: [entry()] }, createdMs);
    expect(from?.token).toBe(7);
  });

  test("has an annotation of bounded length, which keeps the latest", () => {
    const many = Array.from({ length: 200 }, (_, index) => ({
      ...{ key: `key-${index}`, holder: "h".repeat(253), token: 500 - index, time: "2026-01-01T00:00:00Z" },
    }));
    const from = restoredFrom({ done: many }, createdMs);
    const value = from && formatRestored(from);
    expect(value?.length).toBeLessThanOrEqual(8_192);
    const keys = keysOf(stored({ [DONE_ANNOTATION]: value })) ?? [];
    expect(keys.length).toBeGreaterThan(10);
    expect(keys[0]).toBe("key-0");
    expect(keysOf(stored({ [DONE_ANNOTATION]: `${value}${" ".repeat(8_192)}` }))).toBeUndefined();
  });
});
