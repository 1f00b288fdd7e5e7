import { afterEach, beforeEach, expect, test } from "vitest";
import { type Followed, follow } from "../../../src/client/follow.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import type { Lease } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const never = new AbortController().signal;
let stop = new AbortController();
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

const klease = (resourceVersion: string, holder?: string) => ({
  metadata: {
    namespace: "ns",
    name: "nightly",
    uid: "u",
    resourceVersion,
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: { ttl: "1m" },
  status: holder && {
    phase: "Held",
    holder,
    holderRef: { kind: "LeaseRequest", name: "r", uid: holder },
    fencingToken: 7,
  },
});

function start(calls: Partial<KubeClient>, from?: Lease) {
  const { watches, watch } = scriptedWatches();
  const clock = turnedClock();
  let lists = 0;
  const list = async () => {
    lists++;
    return { items: [parseLease(klease("10"))], resourceVersion: "20", continue: undefined };
  };
  const followed = follow<Lease>({
    client: scriptedClient({ list: list as KubeClient["list"], watch, ...calls }),
    clock,
    resource: LEASES,
    namespace: "ns",
    selector: { name: "nightly" },
    parse: parseLease,
    signal: stop.signal,
    random: () => 0,
    ...(from && { from }),
  });
  return { followed, watches, clock, lists: () => lists };
}

const holderOf = (objects: ReadonlyMap<string, Lease>) => objects.get("nightly")?.status.hold?.holder;
const holds = (followed: Followed<Lease>, holder: string) =>
  followed.until((objects) => holderOf(objects) === holder || undefined, never);
const begun = (watches: readonly unknown[], count: number) => expect.poll(() => watches.length).toBe(count);

test("a watch starts from the version that was read, without a list, and resumes where it broke", async () => {
  const { followed, watches, clock, lists } = start({}, parseLease(klease("10")));
  await begun(watches, 1);
  expect(watches[0]?.options).toMatchObject({
    resourceVersion: "10",
    fieldSelector: "metadata.name=nightly",
  });
  watches[0]?.send({ type: "MODIFIED", object: klease("11", "one") });
  await holds(followed, "one");
  watches[0]?.send({ type: "BOOKMARK", object: klease("15") });
  watches[0]?.end(new KonductorError("Unreachable", "cut"));
  await expect.poll(() => followed.trouble).toBeInstanceOf(KonductorError);
  expect(holderOf(followed.objects ?? new Map())).toBe("one");
  await clock.turn(200);
  await begun(watches, 2);
  expect(watches[1]?.options.resourceVersion).toBe("15");
  watches[1]?.send({ type: "MODIFIED", object: klease("16", "two") });
  await holds(followed, "two");
  expect(followed.trouble).toBeUndefined();
  watches[1]?.send({ type: "DELETED", object: klease("17", "two") });
  await followed.until((objects) => objects.size === 0 || undefined, never);
  expect(lists()).toBe(0);
});

test("a version that is too old for the server leads to one immediate list", async () => {
  const { followed, watches, lists } = start({}, parseLease(klease("1", "old")));
  await begun(watches, 1);
  watches[0]?.end(new KonductorError("Gone", "too old"));
  await begun(watches, 2);
  expect(watches[1]?.options.resourceVersion).toBe("20");
  expect(lists()).toBe(1);
  expect(holderOf(followed.objects ?? new Map())).toBeUndefined();
});

test("a watch that ends as soon as it begins is not resumed in a busy loop", async () => {
  const { watches, clock } = start({});
  for (let count = 1; count <= 3; count++) {
    await begun(watches, count);
    watches[count - 1]?.end();
    const delayMs = 100 * 2 ** (count - 1);
    await clock.waitedFor(delayMs);
    expect(watches).toHaveLength(count);
    await clock.turn(delayMs);
  }
});

test("a refusal of the first list is thrown at once, and a later refusal only if it lasts", async () => {
  const forbidden = new KonductorError("Forbidden", "no");
  const list = async () => {
    throw forbidden;
  };
  const refused = start({ list: list as KubeClient["list"] }).followed;
  await expect(refused.until(() => 1, never)).rejects.toBe(forbidden);

  const { followed, watches, clock } = start({});
  await begun(watches, 1);
  watches[0]?.end(forbidden);
  await clock.waitedFor(100);
  const pending = followed.until(() => undefined, never);
  pending.catch(() => undefined);
  await clock.turn(70_000);
  await begun(watches, 2);
  watches[1]?.end(forbidden);
  await expect(pending).rejects.toBe(forbidden);
});

test("waiting for a change rejects with the reason of the abort", async () => {
  const { followed } = start({});
  const given = AbortSignal.abort("enough");
  await expect(followed.until(() => 1, given)).rejects.toBe("enough");
});
