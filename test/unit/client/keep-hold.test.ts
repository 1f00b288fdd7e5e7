import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Followed } from "../../../src/client/follow.ts";
import { renewInBackground } from "../../../src/client/keep-hold.ts";
import type { ClientHold, KeepOptions } from "../../../src/client/types.ts";
import type { Hold, Lease } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aLease, held } from "../lease/samples.ts";

const TTL_MS = 30_000;
const RESERVE_MS = 12_000;

/** A klease as a client's holder sees it, which a test changes. */
function aKlease() {
  const listeners = new Set<() => void>();
  let objects = new Map([["nightly", clientHeld()]]);
  const followed: Followed<Lease> = {
    get objects() {
      return objects;
    },
    trouble: undefined,
    until(look, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<NonNullable<ReturnType<typeof look>>>();
      const check = () => {
        const found = look(objects);
        if (found !== undefined) resolve(found);
      };
      signal.addEventListener("abort", () => reject(signal.reason));
      listeners.add(check);
      check();
      return promise;
    },
  };
  const show = (lease: Lease | undefined) => {
    objects = lease ? new Map([["nightly", lease]]) : new Map();
    for (const listener of listeners) listener();
  };
  return { followed, show };
}

function clientHeld(change: Partial<Hold> = {}, spec: Partial<Lease["spec"]> = {}): Lease {
  return held({ ref: { kind: "LeaseRequest", name: "r", uid: "uid" }, ttlMs: TTL_MS, ...change }, spec);
}

type Answer = () => Promise<Partial<Hold>>;

/** A kept hold that was confirmed just now. `answer` is konductor's answer to renewals. */
function keep(answer: Answer, options: Partial<KeepOptions> = {}) {
  const clock = turnedClock();
  const { followed, show } = aKlease();
  const sentAtMs: number[] = [];
  const beganMs = clock.monotonicMs();
  const hold: ClientHold = {
    ...{ lease: "nightly", holder: "ci", token: 41, ttlMs: TTL_MS, expiresMs: 0, sentMs: beganMs },
    request: { name: "r", uid: "uid" },
  };
  const ended = new AbortController();
  async function renew() {
    const sentMs = clock.monotonicMs();
    sentAtMs.push(sentMs - beganMs);
    return { hold: aHold({ ttlMs: TTL_MS, ...(await answer()) }), sentMs };
  }
  const kept = renewInBackground(
    { clock, random: () => 0.5, klease: followed, renew },
    hold,
    { reserveMs: RESERVE_MS, ...options },
    ended.signal,
  );
  return { kept, clock, show, sentAtMs, ended, passedMs: () => clock.monotonicMs() - beganMs };
}

const unreachable = async (): Promise<Partial<Hold>> => {
  throw new KonductorError("Unreachable", "cut off");
};

test("a hold that is renewed every third of its ttl lasts", async () => {
  const { kept, clock, sentAtMs } = keep(async () => ({ expiresMs: 77 }));
  await clock.turn(60_500);
  expect(kept.signal.aborted).toBe(false);
  expect(sentAtMs).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  // The expiry is told by the reader's clock, whatever konductor's clock shows.
  expect(kept.expiresMs - clock.nowMs()).toBe(TTL_MS - 500);
});

test("a hold that cannot be renewed is retried, and is lost one reserve before the end of its ttl", async () => {
  const troubles: string[] = [];
  const { kept, clock, sentAtMs, passedMs } = keep(unreachable, { onTrouble: (text) => troubles.push(text) });
  let lostAtMs = 0;
  kept.signal.addEventListener("abort", () => {
    lostAtMs = passedMs();
  });
  await clock.turn(TTL_MS);
  expect(lostAtMs).toBe(TTL_MS - RESERVE_MS);
  expect(kept.signal.reason).toMatchObject({ code: "Lost" });
  expect(kept.signal.reason.message).toMatch(
    /could not be renewed for 18s, and its ttl of 30s is about to end/,
  );
  expect(sentAtMs.length).toBeGreaterThan(3);
  expect(troubles).toEqual([
    expect.stringMatching(/nightly could not be renewed and is tried again: cut off/),
  ]);
  const tries = sentAtMs.length;
  await clock.turn(TTL_MS);
  expect(sentAtMs).toHaveLength(tries);
});

test("the deadline counts from when the answered renewal was sent, however late its answer comes", async () => {
  let calls = 0;
  const { kept, clock, passedMs } = keep(async () => {
    if (++calls > 1) return unreachable();
    await clock.sleep(4_000);
    return {};
  });
  await clock.turn(10_000 + TTL_MS - RESERVE_MS - 1);
  expect(kept.signal.aborted).toBe(false);
  await clock.turn(1);
  expect(passedMs()).toBe(10_000 + TTL_MS - RESERVE_MS);
  expect(kept.signal.aborted).toBe(true);
});

test("the deadline counts from the first renewal without an answer: konductor may have accepted it, and rejected the next", async () => {
  let tries = 0;
  const { kept, clock, sentAtMs } = keep(async () => {
    if (++tries === 2) return {};
    if (tries === 1) await clock.sleep(4_000);
    return unreachable();
  });
  await clock.turn(27_900);
  expect(sentAtMs[0]).toBe(10_000);
  expect(sentAtMs[1]).toBeGreaterThan(14_000);
  expect(kept.signal.aborted).toBe(false);
  await clock.turn(200);
  expect(kept.signal.aborted).toBe(true);
});

test("a longer ttl moves the deadline when a renewal brings it", async () => {
  let calls = 0;
  const { kept, clock } = keep(() => (++calls > 1 ? unreachable() : Promise.resolve({ ttlMs: 90_000 })));
  await clock.turn(10_000 + 90_000 - RESERVE_MS - 1);
  expect(kept.signal.aborted).toBe(false);
  await clock.turn(1);
  expect(kept.signal.aborted).toBe(true);
});

test.each([
  ["was deleted", undefined, "Lost"],
  ["has expired", clientHeld({ expired: true }), "Lost"],
  ["is free", aLease({ lastToken: 41 }), "Lost"],
  [
    "has another hold",
    clientHeld({ token: 42, ref: { kind: "LeaseRequest", name: "s", uid: "other" } }),
    "Lost",
  ],
  ["was released by force", { ...clientHeld(), forced: { token: 41, by: "root", now: false } }, "Revoked"],
] as const)("a klease that %s is lost at once", async (_, lease, code) => {
  const { kept, show, passedMs } = keep(async () => ({}));
  show(lease);
  await nextTurn();
  expect(kept.signal.reason).toMatchObject({ code });
  expect(passedMs()).toBe(0);
});

test("a refused renewal is a loss, too", async () => {
  const { kept, clock } = keep(async () => {
    throw new KonductorError("Revoked", "taken away by root");
  });
  await clock.turn(10_000);
  expect(kept.signal.reason).toMatchObject({ code: "Revoked" });
});

test("a hold of a klease that is not renewable is not renewed, and ends on time", async () => {
  const { kept, clock, show, sentAtMs } = keep(async () => ({}));
  show(clientHeld({}, { renewable: false }));
  await clock.turn(15_000);
  expect(sentAtMs).toEqual([]);
  await clock.turn(3_000);
  expect(kept.signal.reason).toMatchObject({ code: "Lost" });
});

test("a hold is neither renewed nor lost after its end", async () => {
  const { kept, clock, sentAtMs, ended } = keep(unreachable);
  ended.abort();
  await clock.turn(2 * TTL_MS);
  expect(sentAtMs).toEqual([]);
  expect(kept.signal.aborted).toBe(false);
});
