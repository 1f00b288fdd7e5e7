/** What a client says of its success is what the klease shows, also where an answer was lost. */
import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { keepHold } from "../../../src/client/keep-hold.ts";
import type { ClientHold } from "../../../src/client/types.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const TOKEN = 41;
const HELD = {
  phase: "Held",
  holder: "ci",
  holderRef: { kind: "LeaseRequest", name: "r", uid: "uid" },
  fencingToken: TOKEN,
};
const ENDED = { phase: "Available", fencingToken: TOKEN };
const DONE = { ...ENDED, done: [{ key: "v42", holder: "ci", token: TOKEN, time: "2026-01-01T00:00:10Z" }] };

const klease = (status: object, resourceVersion: string) => ({
  ...{ spec: { ttl: "1m" }, status },
  metadata: {
    ...{ namespace: "ns", name: "schema", uid: "u", resourceVersion },
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
});

/** The release of a hold whose word of success is stored, though the answer is lost; the klease then has `status`. */
async function releaseUnanswered(status: object) {
  const clock = turnedClock();
  const { watches, watch } = scriptedWatches();
  let stored = klease(HELD, "1");
  const deleted: string[] = [];
  const client = scriptedClient({
    watch,
    get: (async () => parseLease(stored)) as KubeClient["get"],
    list: (async () => ({
      items: [parseLease(stored)],
      resourceVersion: "1",
    })) as unknown as KubeClient["list"],
    delete: async (_resource, { name }) => void deleted.push(name),
    async patch() {
      stored = klease(status, "2");
      watches[0]?.send({ type: "MODIFIED", object: stored });
      throw new KonductorError("Unreachable", "no answer");
    },
  });
  const context = { client, namespace: "ns", clock, random: () => 0, server: { observe() {} } };
  const hold: ClientHold = {
    ...{ lease: "schema", holder: "ci", token: TOKEN, ttlMs: 60_000, expiresMs: 0 },
    ...{ sentMs: clock.monotonicMs(), request: { name: "r", uid: "uid" } },
  };
  const kept = keepHold(context as unknown as ClientContext, hold, { reserveMs: 12_000 });
  await expect.poll(() => watches.length).toBe(1);
  const released = kept.release({ hasSucceeded: true });
  const told = released.catch((error: unknown) => error);
  await clock.turn(10_000);
  return { told: await told, deleted };
}

test("success that the klease shows was told, though no answer came", async () => {
  expect(await releaseUnanswered(DONE)).toEqual({ told: { isOver: true }, deleted: ["r"] });
});

test("success that the klease does not show was lost", async () => {
  const { told, deleted } = await releaseUnanswered(ENDED);
  expect([told, deleted]).toEqual([expect.objectContaining({ code: "Lost" }), ["r"]]);
});
