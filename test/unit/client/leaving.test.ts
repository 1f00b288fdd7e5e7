/** A client that gives up leaves nothing in the queue, also where the answer to its last word was lost. */
import { expect, test } from "vitest";
import { acquire } from "../../../src/client/acquire-for-client.ts";
import type { ClientContext } from "../../../src/client/client-context.ts";
import type { Wish } from "../../../src/client/types.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { NOW_MS } from "../lease/samples.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const ENDLESS = Number.POSITIVE_INFINITY;
const EXTEND_EVERY_MS = 300_000;
/** Of another process under the same name. */
const EARLIER = { lease: "nightly", holder: "ci", requestedBy: "alice", waitUntil: isoTime(NOW_MS + 9_000) };

type Fields = Record<string, unknown>;
type Parse = (value: unknown) => unknown;
type Stored = { metadata: Fields; spec: Fields };

/** An API server that loses its answers to these calls, after they took effect, and refuses some deletions at first. */
function aServer({ loses, busy = 0, spec }: { loses: "create" | "patch"; busy?: number; spec?: Fields }) {
  const clock = turnedClock(NOW_MS);
  const { watches, watch } = scriptedWatches();
  const klease = { metadata: { namespace: "ns", name: "nightly", uid: "l" }, spec: { ttl: "1m" } };
  const metadata = { namespace: "ns", name: "r", uid: "earlier", resourceVersion: "1" };
  let stored: Stored | undefined = spec && { metadata, spec };
  let isSent = false;
  function store(next: Stored, call: "create" | "patch", parse: Parse): unknown {
    stored = next;
    isSent = true;
    for (const { send } of watches) send({ type: "MODIFIED", object: stored });
    if (call === loses) throw new KonductorError("Unreachable", "the answer was lost");
    return parse(stored);
  }
  const calls = {
    watch,
    async get(resource: Resource, _: object, parse: Parse) {
      if (resource === LEASES) return parse(klease);
      if (stored) return parse(stored);
      throw new KonductorError("NotFound", "there is none");
    },
    list: async () => ({ items: [parseLease(klease)], resourceVersion: "1" }),
    async create(_: Resource, object: object, parse: Parse) {
      if (stored) throw new KonductorError("AlreadyExists", "there is one");
      const { metadata: own, spec: wish } = record(object);
      const created = { ...record(own), uid: "own", resourceVersion: "1" };
      return store({ metadata: created, spec: { ...record(wish), requestedBy: "alice" } }, "create", parse);
    },
    async patch(_: Resource, __: object, patch: unknown, ___: object, parse: Parse) {
      if (!stored) throw new KonductorError("NotFound", "there is none");
      const spec = { ...stored.spec, ...record(record(patch)["spec"]) };
      return store({ metadata: { ...stored.metadata, resourceVersion: "2" }, spec }, "patch", parse);
    },
    async delete(_: Resource, __: object, { uid }: { uid?: string }) {
      if (busy-- > 0) throw new KonductorError("TooManyRequests", "busy");
      if (stored?.metadata["uid"] === uid) stored = undefined;
    },
  };
  const context: ClientContext = {
    client: scriptedClient(calls as unknown as Partial<KubeClient>),
    ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
    user: async () => "alice",
  };
  /** What is stored after a client of this wish was told to stop. */
  async function left(wish: Partial<Wish>, stopAfterMs: number): Promise<unknown> {
    const stop = new AbortController();
    const told = acquire(context, {
      ...{ lease: "nightly", holder: "ci", join: false, timeoutMs: ENDLESS, signal: stop.signal },
      ...wish,
    }).catch((error: unknown) => error);
    await clock.turn(stopAfterMs);
    expect(isSent).toBe(true);
    stop.abort(new Error("Ctrl-C"));
    await clock.turn(10_000);
    expect(await told).toMatchObject({ code: wish.timeoutMs === 0 ? "Unreachable" : "Withdrawn" });
    return stored;
  }
  return { left };
}

test.each([
  ["was created without an answer", { loses: "create" }, {}, 10],
  ["cannot be deleted at first", { loses: "create", busy: 2 }, {}, 10],
  ["was created without an answer by a single try", { loses: "create" }, { timeoutMs: 0 }, 10],
  ["was extended without an answer", { loses: "patch" }, {}, EXTEND_EVERY_MS],
  ["was taken over without an answer", { loses: "patch", spec: EARLIER }, { join: true }, 10],
  [
    "was taken over without an answer, and found again",
    { loses: "patch", spec: EARLIER },
    { join: true, timeoutMs: 60_000 },
    1_000,
  ],
] as const)("a request that %s is withdrawn", async (_, faults, wish, stopAfterMs) => {
  expect(await aServer(faults).left(wish, stopAfterMs)).toBeUndefined();
});
