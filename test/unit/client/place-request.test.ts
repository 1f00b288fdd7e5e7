import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { type Place, placeRequest, withdraw } from "../../../src/client/place-request.ts";
import type { Wish } from "../../../src/client/types.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { parseLeaseRequest } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { scriptedClient } from "./scripted-client.ts";

const never = new AbortController().signal;
const WAIT_MS = 60_000;

type Fields = Record<string, unknown>;

/** An API server with one klease and at most one request. */
function aServer({
  lease = {},
  loseAnswers = 0,
  refusals = 0,
}: {
  lease?: Fields;
  loseAnswers?: number;
  refusals?: number;
} = {}) {
  const clock = turnedClock(Date.parse("2026-01-01T00:00:00Z"));
  let stored: { metadata: Fields; spec: Fields; status: Fields } | undefined;
  let created = 0;
  const deleted: unknown[] = [];
  const calls = {
    async create(_: Resource, object: object, parse: (value: unknown) => unknown) {
      if (refusals-- > 0) throw new KonductorError("TooManyRequests", "busy");
      if (stored) throw new KonductorError("AlreadyExists", "there is one");
      const { metadata, spec } = record(object);
      stored = {
        metadata: { ...record(metadata), uid: `uid-${++created}`, resourceVersion: "1" },
        spec: { ...record(spec), requestedBy: "alice" },
        status: {},
      };
      if (created <= loseAnswers) throw new KonductorError("Unreachable", "the answer was lost");
      return parse(stored);
    },
    async get(resource: Resource, _: object, parse: (value: unknown) => unknown) {
      if (resource === LEASES)
        return parse({ metadata: { name: "nightly" }, spec: { ttl: "1m" }, status: lease });
      if (stored) return parse(stored);
      throw new KonductorError("NotFound", "there is none", { cause: { kind: "Status" } });
    },
    async delete(_: Resource, __: object, { uid }: { uid?: string }) {
      deleted.push(uid);
      stored = undefined;
    },
    async patch(_: Resource, __: object, patch: unknown, ___: object, parse: (value: unknown) => unknown) {
      if (stored) stored = { ...stored, spec: { ...stored.spec, ...record(record(patch)["spec"]) } };
      return parse(stored);
    },
  };
  const context: ClientContext = {
    client: scriptedClient(calls as unknown as Partial<KubeClient>),
    namespace: "ns",
    clock,
    server: createServerClock(clock),
    user: async () => "alice",
    random: () => 0,
  };
  const place = (wish: Partial<Wish> = {}, earlier?: Place) =>
    placeRequest(
      context,
      { lease: "nightly", holder: "ci", join: false, timeoutMs: WAIT_MS, ...wish },
      clock.monotonicMs() + (wish.timeoutMs ?? WAIT_MS),
      { stop: never, earlier },
    );
  const change = (spec: Fields, status: Fields = {}) => {
    if (stored) stored = { ...stored, spec: { ...stored.spec, ...spec }, status };
  };
  return { clock, context, place, change, deleted, request: () => stored && parseLeaseRequest(stored) };
}

test("waitUntil is by the server's clock, with a margin, and equals requestedAt for a single try", async () => {
  const { place, clock, request } = aServer();
  const { request: placed, writtenUntilMs } = await place();
  expect(placed.spec.waitUntilMs).toBe(clock.nowMs() + WAIT_MS + 5_000);
  expect(writtenUntilMs).toBe(placed.spec.waitUntilMs);
  expect(request()?.spec).toMatchObject({ lease: "nightly", holder: "ci" });
  const once = aServer();
  const { request: tried } = await once.place({ timeoutMs: 0 });
  expect(tried.spec.waitUntilMs).toBe(tried.spec.requestedAtMs);
});

test("a request whose creation was not answered is recognized, and not as another process's", async () => {
  const { place, clock, deleted } = aServer({ loseAnswers: 1 });
  const placing = place();
  await clock.waitedFor(100);
  await clock.turn(1_000);
  expect((await placing).request.uid).toBe("uid-1");
  expect(deleted).toEqual([]);
});

test("a request that another process of the same name made at the same moment is not ours, though our creation failed", async () => {
  const { place, clock, request } = aServer({ refusals: 1 });
  const refused = place();
  await clock.waitedFor(100);
  const other = await place();
  expect(other.writtenUntilMs).toBe(request()?.spec.waitUntilMs);
  const told = expect(refused).rejects.toMatchObject({ code: "Held" });
  await clock.turn(1_000);
  await told;
});

test("a single try whose creation was not answered is not repeated", async () => {
  await expect(aServer({ loseAnswers: 1 }).place({ timeoutMs: 0 })).rejects.toMatchObject({
    code: "Unreachable",
  });
});

test("a waiting request of the same name belongs to another process, and may be joined", async () => {
  const { place, clock } = aServer();
  await place({ timeoutMs: 1_000 });
  await expect(place()).rejects.toMatchObject({
    code: "Held",
    message: expect.stringMatching(/is waited for/),
  });
  const joined = await place({ join: true });
  expect(joined.request).toMatchObject({
    uid: "uid-1",
    spec: { waitUntilMs: clock.nowMs() + WAIT_MS + 5_000 },
  });
});

test("a request of the same name is our own only if the same pod made it", async () => {
  const { place, request } = aServer();
  await place({ pod: "pod-1" });
  expect(request()?.clientPod).toBe("pod-1");
  expect((await place({ pod: "pod-1" })).request.uid).toBe("uid-1");
  for (const pod of ["pod-2", undefined])
    await expect(place({ pod })).rejects.toMatchObject({ code: "Held" });
  expect((await place({ pod: "pod-2", join: true })).request.uid).toBe("uid-1");
});

test("no request is recognized as our own outside of pods", async () => {
  const { place } = aServer();
  await place();
  for (const pod of ["pod-1", undefined])
    await expect(place({ pod })).rejects.toMatchObject({ code: "Held" });
});

test("another user's request is not ours even in the same pod", async () => {
  const { place, change } = aServer();
  await place({ pod: "pod-1" });
  change({ requestedBy: "bob" });
  await expect(place({ pod: "pod-1" })).rejects.toMatchObject({
    message: expect.stringMatching(/by user bob/),
  });
});

test("a process that joins for a shorter time does not shorten the wait, even when it gives up", async () => {
  const { place, context, deleted, request } = aServer();
  const long = await place();
  const short = await place({ join: true, timeoutMs: 1_000 });
  expect(request()?.spec.waitUntilMs).toBe(long.writtenUntilMs);
  await withdraw(context, short);
  expect(deleted).toEqual([]);
  await withdraw(context, long);
  expect(deleted).toEqual(["uid-1"]);
});

test("another user's request of the same name is not joined", async () => {
  const { place, change } = aServer();
  await place();
  change({ requestedBy: "bob" });
  await expect(place({ join: true })).rejects.toMatchObject({
    code: "Held",
    message: expect.stringMatching(/by user bob already/),
  });
});

test.each([
  ["was denied", { phase: "Denied" }, {}],
  ["had its hold", { phase: "Expired" }, {}],
  ["had a hold that is over", { phase: "Granted", fencingToken: 7 }, { phase: "Available", fencingToken: 7 }],
  ["was granted last", {}, { phase: "Available", fencingToken: 7, requestUID: "uid-1" }],
])("a request that %s is replaced by a new one", async (_, status, lease) => {
  const { place, change, deleted } = aServer({ lease });
  await place();
  change({}, status);
  expect((await place()).request.uid).toBe("uid-2");
  expect(deleted).toEqual(["uid-1"]);
});

test("a hold that outlived its klease may belong to another process", async () => {
  const { place, change, deleted } = aServer({ lease: { phase: "Available" } });
  await place();
  change({}, { phase: "Granted", fencingToken: 7 });
  await expect(place()).rejects.toMatchObject({
    code: "Held",
    message: expect.stringMatching(/is held under/),
  });
  expect(deleted).toEqual([]);
  expect((await place({ join: true })).request.uid).toBe("uid-2");
});

test("a process whose klease was deleted before it confirmed keeps its place in the queue", async () => {
  const { place, deleted } = aServer();
  const earlier = await place();
  expect((await place({}, earlier)).request.uid).toBe("uid-1");
  expect(deleted).toEqual([]);
});

test("a process that is told to stop before it has asked again gives up its place", async () => {
  const { place, context, clock, deleted } = aServer();
  const earlier = await place();
  const wish = { lease: "nightly", holder: "ci", join: false, timeoutMs: WAIT_MS };
  const stop = AbortSignal.abort(new Error("Ctrl-C"));
  const endMs = clock.monotonicMs() + WAIT_MS;
  await expect(placeRequest(context, wish, endMs, { stop, earlier })).rejects.toThrow("Ctrl-C");
  expect(deleted).toEqual(["uid-1"]);
});

test("a grant that was lost before it was confirmed is not another process's hold", async () => {
  const { place, change, deleted } = aServer({ lease: { phase: "Available" } });
  const earlier = await place();
  change({}, { phase: "Granted", fencingToken: 7 });
  expect((await place({}, earlier)).request.uid).toBe("uid-2");
  expect(deleted).toEqual(["uid-1"]);
});

test("a request for another holder under our name is replaced", async () => {
  const { place, change } = aServer();
  await place();
  change({ holder: "somebody" });
  expect((await place()).request.uid).toBe("uid-2");
});
