import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import type { Followed } from "../../../src/client/follow.ts";
import { renewHold } from "../../../src/client/renewal.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import type { Hold, Lease } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, held, NOW_MS } from "../lease/samples.ts";
import { scriptedClient } from "./scripted-client.ts";

const never = new AbortController().signal;
/** The renewTime that konductor stamps. */
const STAMP_MS = NOW_MS + 7_000;

const clientHeld = (change: Partial<Hold> = {}, spec: Partial<Lease["spec"]> = {}): Lease =>
  held({ ref: { kind: "LeaseRequest", name: "r", uid: "uid" }, renewals: 3, ...change }, spec);

/** `answers` are the results of successive patches. `stored` is what a GET finds. */
function renewing(answers: (() => Promise<number>)[], stored?: Lease) {
  const clock = turnedClock(NOW_MS);
  const patches: unknown[] = [];
  let objects = new Map([["nightly", clientHeld()]]);
  const listeners = new Set<() => void>();
  const klease: Followed<Lease> = {
    get objects() {
      return objects;
    },
    trouble: undefined,
    until(look, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<NonNullable<ReturnType<typeof look>>>();
      const check = () => {
        try {
          const found = look(objects);
          if (found !== undefined) resolve(found);
        } catch (error) {
          reject(error);
        }
      };
      signal.addEventListener("abort", () => reject(signal.reason));
      listeners.add(check);
      check();
      return promise;
    },
  };
  const calls = {
    async patch(_: object, __: object, patch: unknown, ___: object, parse: (value: unknown) => unknown) {
      patches.push(patch);
      const renewTime = isoTime((await answers.shift()?.()) ?? 0);
      return parse({ metadata: { name: "r", uid: "uid" }, spec: { renewTime } });
    },
    async get(_: object, __: object, parse: (value: unknown) => unknown) {
      if (!stored) throw new KonductorError("Unreachable", "slow");
      return parse({
        metadata: { name: "nightly" },
        spec: { ttl: "1m" },
        status: formatLeaseStatus(stored, stored.status, NOW_MS),
      });
    },
  };
  const context: ClientContext = {
    client: scriptedClient(calls as unknown as Partial<KubeClient>),
    ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
    user: async () => "alice",
  };
  const { hold } = clientHeld().status;
  if (!hold) throw new Error("it is held");
  const done = renewHold(context, { lease: "nightly", hold }, klease, never);
  done.catch(() => undefined);
  const show = (lease: Lease) => {
    objects = new Map([["nightly", lease]]);
    for (const listener of listeners) listener();
  };
  return { clock, patches, show, done };
}

const stamped = async () => STAMP_MS;
const unreachable = async () => {
  throw new KonductorError("Unreachable", "cut off");
};

test("a renewal is done when the klease shows it, and counts from when it was sent", async () => {
  const { clock, show, done, patches } = renewing([stamped]);
  await clock.turn(500);
  show(clientHeld({ renewTimeMs: STAMP_MS - 1 }));
  show(clientHeld({ renewTimeMs: STAMP_MS, renewals: 4, ttlMs: 90_000 }));
  expect(await done).toMatchObject({ sentMs: NOW_MS, hold: { renewals: 4, ttlMs: 90_000 } });
  expect(patches).toHaveLength(1);
  const { metadata, spec } = record(patches[0]);
  expect(metadata).toEqual({ uid: "uid" });
  // konductor's own stamps are in whole milliseconds, so the patch always differs from the stored time.
  expect(record(spec)["renewTime"]).toMatch(/\.\d{3}001Z$/);
});

test("a renewal whose answer was lost is sent again, and counts from the first attempt, which konductor may have accepted", async () => {
  const { clock, show, done } = renewing([unreachable, stamped]);
  await clock.turn(1_000);
  show(clientHeld({ renewTimeMs: STAMP_MS, renewals: 5 }));
  expect((await done).sentMs).toBe(NOW_MS);
});

test("a confirmation is done when the hold is confirmed", async () => {
  const { clock, show, done } = renewing([stamped]);
  await clock.turn(1);
  show(clientHeld({ confirmed: false }));
  show(clientHeld({ renewTimeMs: STAMP_MS, confirmed: true }));
  expect((await done).hold.confirmed).toBe(true);
});

test("a renewal that konductor has seen without extending the hold is refused", async () => {
  const { clock, show, done } = renewing([stamped]);
  await clock.turn(1);
  show(clientHeld({ renewTimeMs: STAMP_MS }, { renewable: false }));
  await expect(done).rejects.toMatchObject({ code: "NotRenewable" });
});

test.each([
  ["is held by somebody else", clientHeld({ token: 42 }), "Lost"],
  ["is free", aLease({ lastToken: 41 }), "Lost"],
  ["has expired", clientHeld({ expired: true, renewTimeMs: STAMP_MS, renewals: 4 }), "Lost"],
  ["was released by force", { ...clientHeld(), forced: { token: 41, by: "root", now: true } }, "Revoked"],
] as const)("a renewal fails if the klease %s", async (_, lease, code) => {
  const { clock, show, done } = renewing([stamped]);
  await clock.turn(1);
  show(lease);
  await expect(done).rejects.toMatchObject({ code });
});

test("a silent watch is not awaited: the klease is read", async () => {
  const { clock, done } = renewing([stamped], clientHeld({ renewTimeMs: STAMP_MS, renewals: 4 }));
  await clock.turn(2_999);
  const early = await Promise.race([done, Promise.resolve("waiting")]);
  expect(early).toBe("waiting");
  await clock.turn(1);
  expect((await done).hold.renewals).toBe(4);
});

test("a renewal fails if its request is gone", async () => {
  const { done } = renewing([
    async () => {
      throw new KonductorError("NotFound", "none");
    },
  ]);
  await expect(done).rejects.toMatchObject({ code: "Lost" });
});
