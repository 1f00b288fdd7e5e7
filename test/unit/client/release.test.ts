/** The end of a hold reaches an API server that cannot take it for a moment: others wait for it. */
import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { keepHold } from "../../../src/client/keep-hold.ts";
import { release } from "../../../src/client/release-for-client.ts";
import type { Released } from "../../../src/client/types.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { formatLeaseStatus, parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { held, NOW_MS } from "../lease/samples.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const TTL_MS = 60_000;

type Parse = (value: unknown) => unknown;

/** An API server with the hold of "ci", whose first answers to a deletion, and to a read, are these. */
function aServer(failures: KonductorError[], readFailures: KonductorError[] = []) {
  const clock = turnedClock(NOW_MS);
  const lease = held({ holder: "ci", ref: { kind: "LeaseRequest", name: "r", uid: "u" } });
  const klease = {
    metadata: { namespace: "ns", name: "nightly", uid: "l", resourceVersion: "8" },
    spec: { ttl: "1m" },
    status: formatLeaseStatus(lease, lease.status, NOW_MS),
  };
  const deletedAfterMs: number[] = [];
  const calls = {
    ...scriptedWatches(),
    async get(_: unknown, __: unknown, parse: Parse) {
      const failure = readFailures.shift();
      if (failure) throw failure;
      return parse(klease);
    },
    list: async () => ({ items: [parseLease(klease)], resourceVersion: "8" }),
    async delete() {
      deletedAfterMs.push(clock.monotonicMs() - NOW_MS);
      const failure = failures.shift();
      if (failure) throw failure;
    },
  };
  const context: ClientContext = {
    client: scriptedClient(calls as unknown as Partial<KubeClient>),
    ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
    user: async () => "alice",
  };
  async function ended(released: Promise<Released>): Promise<unknown> {
    const told = released.catch((error: unknown) => error);
    await clock.turn(30_000);
    return told;
  }
  const keep = (reserveMs: number) =>
    keepHold(
      context,
      {
        ...{ lease: "nightly", holder: "ci", token: 41, ttlMs: TTL_MS, expiresMs: NOW_MS + TTL_MS },
        ...{ sentMs: clock.monotonicMs(), request: { name: "r", uid: "u" } },
      },
      { reserveMs },
    );
  return { clock, context, deletedAfterMs, ended, keep };
}

const busy = () => new KonductorError("TooManyRequests", "busy", { retryAfterMs: 1_000 });
const cutOff = () => new KonductorError("Unreachable", "the connection was reset");
const gone = () => new KonductorError("NotFound", "there is none");
const many = (failure: () => KonductorError) => Array.from({ length: 100 }, failure);

test("a hold that was kept is ended by a later try", async () => {
  const { ended, keep, deletedAfterMs } = aServer([busy(), cutOff()]);
  expect(await ended(keep(10_000).release())).toEqual({ isOver: false });
  expect(deletedAfterMs).toEqual([0, 1_000, 1_100]);
});

test("a hold that is released by its name is ended by a later try, also where the first one was lost after it took effect", async () => {
  const { ended, context, deletedAfterMs } = aServer([cutOff(), gone()], [busy()]);
  expect(await ended(release(context, { lease: "nightly", holder: "ci" }))).toEqual({ isOver: false });
  expect(deletedAfterMs).toHaveLength(2);
});

test("a release that fails for long, or is refused, is given up", async () => {
  const failing = aServer(many(cutOff));
  expect(await failing.ended(failing.keep(10_000).release())).toMatchObject({ code: "Unreachable" });
  expect(failing.deletedAfterMs.at(-1)).toBe(10_000);
  const refused = aServer(many(() => new KonductorError("Forbidden", "no")));
  expect(await refused.ended(refused.keep(10_000).release())).toMatchObject({ code: "Forbidden" });
  expect(refused.deletedAfterMs).toHaveLength(1);
});

test("a hold that is lost is not waited for", async () => {
  const { clock, ended, keep, deletedAfterMs } = aServer(many(cutOff));
  const kept = keep(TTL_MS);
  await clock.turn(1);
  expect(kept.signal.aborted).toBe(true);
  await ended(kept.release());
  expect(deletedAfterMs).toHaveLength(1);
});
