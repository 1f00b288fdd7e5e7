/** Who waits is told why, whoever is the arbiter, and however many there are. */
import { describe, expect, test } from "vitest";
import { ARBITER_EVENTS_PER_SECOND } from "../../../src/bin/serve/event-share.ts";
import { endHold } from "../../../src/lease/hold.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { defined } from "../../../src/shared/json.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";
import { held, NOW_MS } from "../lease/samples.ts";
import { HOLD, MINUTE_MS, stage, waiter } from "./staged-notices.ts";

test("a pod is told after 10 seconds and again every 30 minutes: where it stands, behind whom, since when and until when", async () => {
  const { clock, told, heard, begin } = stage(
    waiter("first"),
    waiter("second", { spec: { requestedAtMs: NOW_MS + 1 } }),
  );
  const end = begin();
  await clock.turn(9_000);
  expect(told).toEqual([]);
  await clock.turn(4_000);
  expect(told).toMatchObject([
    {
      object: { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "first", uid: "pod-first" },
      type: "Normal",
      reason: "Waiting",
      message:
        "waiting for klease nightly since 2026-01-01T00:10:00Z: position 1 of 2, held by run-1 since 2026-01-01T00:09:50Z, " +
        "expires 2026-01-01T00:10:55Z unless renewed; see kubectl describe klease nightly",
    },
    { message: expect.stringContaining("position 2 of 2") },
  ]);
  await clock.turn(29 * MINUTE_MS);
  expect(told).toHaveLength(2);
  await clock.turn(31 * MINUTE_MS);
  expect(heard()).toEqual(
    ["first", "second", "first", "second", "first", "second"].map(
      (name, index) => `${name} Waiting ${Math.floor(index / 2) * 30}m`,
    ),
  );
  await end();
});

test.each<[string, LeaseRequest]>([
  ["one that is tried once", waiter("p", { spec: { waitUntilMs: NOW_MS } })],
  ["one that was granted", waiter("p", { status: { phase: "Granted", token: 41 } })],
  ["one that was granted, but does not say so yet", waiter("p", { uid: "request-1" })],
  ["one for a klease that does not exist", waiter("p", { spec: { lease: "none" } })],
])("nobody is told of a request that is %s", async (_, request) => {
  const { clock, told, begin } = stage(request);
  const end = begin();
  await clock.turn(MINUTE_MS);
  expect(told).toEqual([]);
  await end();
});

test("a grant is told once, and only to whoever was told that it waits", async () => {
  const { clock, told, hold, put, begin } = stage(
    waiter("told"),
    waiter("soon", { spec: { requestedAtMs: NOW_MS + 8_000 } }),
  );
  const end = begin();
  await clock.turn(15_000);
  hold({ holder: "told", token: 42, acquiredMs: NOW_MS + 15_000 }, "uid-of-told");
  put(waiter("told", { status: { phase: "Granted", token: 42 } }));
  await clock.turn(1_000);
  hold({ holder: "told", token: 42, acquiredMs: NOW_MS + 15_000, renewals: 1 }, "uid-of-told");
  hold({ holder: "soon", token: 43 }, "uid-of-soon");
  await clock.turn(1_000);
  expect(told.map(({ object, reason, message }) => [object.name, reason, message])).toEqual([
    ["told", "Waiting", expect.anything()],
    ["told", "Granted", "granted klease nightly after 15s, token 42"],
  ]);
  await end();
});

describe("an arbiter that has not told the Waiting itself tells of the grant", () => {
  /** After `waitsMs` another arbiter takes over, and the grant comes before it has told anything. */
  async function handOver(waitsMs: number, wrote: boolean): Promise<string[]> {
    const { clock, heard, hold, begin, refused, told } = stage(waiter("p"));
    if (!wrote) refused.add("Waiting");
    await clock.turn(1_000);
    const end = begin();
    await clock.turn(waitsMs - 1_000);
    await end();
    refused.clear();
    const before = told.length;
    const next = begin();
    hold({ holder: "p", token: 42, acquiredMs: clock.nowMs() }, "uid-of-p");
    await clock.turn(5_000);
    await next();
    return heard().slice(before);
  }

  // At the last of them another Waiting is due, and not told yet.
  test.each([15_000, 29 * MINUTE_MS, 31 * MINUTE_MS, 30 * MINUTE_MS + 10_500])(
    "if the one before it has, after %i ms",
    async (waitsMs) => {
      expect(await handOver(waitsMs, true)).toEqual([expect.stringMatching(/^p Granted/)]);
    },
  );

  test("but not if that one's Waiting was not written", async () => {
    expect(await handOver(15_000, false)).toEqual([]);
  });
});

test("a grant is told to nobody whose Waiting found no turn in time", async () => {
  const crowd = Array.from({ length: 200 }, (_, index) => waiter(`w-${index}`));
  const { clock, told, hold, begin } = stage(
    ...crowd,
    waiter("late", { spec: { requestedAtMs: NOW_MS + 1 } }),
  );
  const end = begin();
  await clock.turn(12_000);
  hold({ holder: "late", token: 42, acquiredMs: NOW_MS + 12_000 }, "uid-of-late");
  await clock.turn(MINUTE_MS);
  expect(told.filter(({ object }) => object.name === "late")).toEqual([]);
  expect(told).toHaveLength(200);
  await end();
});

test("a grant that is taken back is corrected, once for each", async () => {
  const { clock, told, caches, hold, put, begin } = stage(waiter("p"), waiter("q"));
  const end = begin();
  await clock.turn(15_000);
  const grant = { token: 42, acquiredMs: NOW_MS + 15_000 };
  hold({ holder: "p", ...grant }, "uid-of-p");
  await clock.turn(10_000);
  const lease = held({ token: 43, holder: "q" });
  const past = { holder: "p", ...grant, endedMs: clock.nowMs(), reason: "NotConfirmed" } as const;
  const status = { ...lease.status, history: [past], lastRequest: "uid-of-q" };
  caches.leases.apply({ ...lease, resourceVersion: "500", status });
  put(waiter("p", { resourceVersion: "501", status: { phase: "Pending", reason: "NotConfirmed" } }));
  await clock.turn(10_000);
  expect(told.filter(({ object }) => object.name === "p")).toMatchObject([
    { reason: "Waiting" },
    { reason: "Granted" },
    {
      reason: "Waiting",
      message: expect.stringContaining("position 1 of 1, passed over until the pod's gate answers"),
    },
  ]);
  expect(new Set(told.map(({ name }) => name)).size).toBe(told.length);
  await end();
});

test("a place and the holder before it are of the same time, however long the event has waited for its turn", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `w-${index}`);
  const { clock, told, hold, put, begin } = stage(...names.map((name) => waiter(name)));
  await clock.turn(15_000);
  const end = begin();
  await clock.turn(0);
  hold({ holder: "w-0", token: 42 }, "uid-of-w-0");
  put(waiter("w-0", { status: { phase: "Granted", token: 42 } }));
  await clock.turn(5_000);
  expect(told.find(({ object }) => object.name === "w-9")?.message).toContain("position 9 of 9, held by w-0");
  await end();
});

test("a wait-timeout is told with what was in the way, also in the log", async () => {
  const spec = { waitUntilMs: NOW_MS + 5 * MINUTE_MS };
  const { clock, told, lines, put, begin } = stage(waiter("p", { spec }));
  const end = begin();
  put(waiter("p", { spec, status: { phase: "Denied", reason: "TimedOut" } }));
  await clock.turn(1_000);
  expect(told).toMatchObject([
    {
      object: { kind: "Pod", name: "p" },
      type: "Warning",
      reason: "TimedOut",
      message:
        "waited for klease nightly for 5m, its konductor.io/wait-timeout, in vain: held by run-1 since 2026-01-01T00:09:50.000Z. The " +
        "gate fails with code 69; raise the annotation, or see kubectl describe klease nightly",
    },
  ]);
  expect(lines).toMatchObject([
    {
      ...{ lease: "ns/nightly", holder: "p", request: "p", pod: "p", reason: "TimedOut" },
      msg: expect.stringMatching(/^waited for klease nightly for 5m/),
    },
  ]);
  await end();
});

test("a pod that has lost its Job is told that its work is done", async () => {
  const spec = { once: "seed" };
  const { clock, told, put, begin } = stage(waiter("p", { spec }));
  const end = begin();
  put(waiter("p", { spec, status: { phase: "Denied", reason: "AlreadyDone" } }));
  await clock.turn(1_000);
  expect(told).toEqual([]);
  put(waiter("p", { spec, status: { phase: "Denied", reason: "AlreadyDoneWithoutJob" } }));
  await clock.turn(1_000);
  expect(told).toMatchObject([
    {
      ...{ object: { kind: "Pod", name: "p" }, type: "Warning", reason: "AlreadyDone" },
      message: expect.stringMatching(
        /^was not granted klease nightly: "seed" is done already, and the pod has no Job any more/,
      ),
    },
  ]);
  await end();
});

test.each<["is not" | "is", object[]]>([
  ["is not", [{ lease: "ns/nightly", holder: "run-1", pod: "run-1", token: HOLD.token, reason: "Fenced" }]],
  ["is", []],
])(
  "a pod whose gate ends because its hold was lost is told that it was fenced; the gate %s heard",
  async (heard, logged) => {
    const { clock, told, lines, caches, begin } = stage();
    const end = begin();
    const pod = (exitCode?: number): PodView => ({
      ...{ ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })), lease: "nightly" },
      ...{ namespace: "ns", name: "run-1", uid: "pod-1", resourceVersion: `${exitCode ?? 1}` },
      gate: {
        name: "konductor-gate",
        kind: "init",
        state: "terminated",
        hasRestartRules: false,
        ...defined({ exitCode }),
      },
    });
    caches.pods.apply(pod());
    caches.pods.apply(pod(69));
    await clock.turn(1_000);
    expect(told).toEqual([]);
    const lease = held(HOLD);
    if (heard === "is")
      caches.leases.apply({ ...lease, resourceVersion: "900", status: endHold(lease, "Fenced", NOW_MS) });
    caches.pods.apply(pod(76));
    await clock.turn(1_000);
    expect(told).toMatchObject([
      { object: { kind: "Pod", uid: "pod-1" }, type: "Warning", reason: "Fenced" },
    ]);
    // Whoever heard it has logged it.
    expect(lines).toMatchObject(logged);
    await end();
  },
);

test("a Job that waits as a whole is told itself", async () => {
  const ref = { kind: "Job", name: "j", uid: "job-1" } as const;
  const { clock, told, begin } = stage(waiter("j", { spec: { ref } }));
  const end = begin();
  await clock.turn(15_000);
  expect(told).toMatchObject([{ object: { apiVersion: "batch/v1", kind: "Job", name: "j", uid: "job-1" } }]);
  await end();
});

test("another arbiter goes on: it tells everybody's last notice again, as the same event, and then each when it is due", async () => {
  const { clock, told, heard, begin } = stage(
    waiter("early", { spec: { requestedAtMs: NOW_MS - 20 * MINUTE_MS } }),
    waiter("new"),
  );
  const end = begin();
  await clock.turn(12_000);
  expect(heard()).toEqual(["early Waiting 0m", "new Waiting 0m"]);
  await end();
  const next = begin();
  await clock.turn(MINUTE_MS);
  // Of "early" it was probably told before, so it is not the first.
  expect(heard().slice(2)).toEqual(["new Waiting 0m", "early Waiting 0m"]);
  expect(new Set(told.map(({ name }) => name)).size).toBe(2);
  await clock.turn(12 * MINUTE_MS);
  expect(heard().slice(4)).toEqual(["early Waiting 10m"]);
  await next();
});

test("a replica that is elected again tells whom its last term has told nothing, as its turn had not come", async () => {
  const crowd = Array.from({ length: 20 }, (_, index) => waiter(`w-${index}`));
  const { clock, told, replica } = stage(...crowd);
  const lead = replica();
  const end = lead();
  await clock.turn(10_500);
  await end();
  await clock.turn(MINUTE_MS);
  const before = told.length;
  expect(before).toBeLessThan(20);
  const endAgain = lead();
  await clock.turn(MINUTE_MS);
  expect(told).toHaveLength(20);
  await endAgain();
});

test("a replica that is elected again tells what the API server did not take in its last term, and then the grant", async () => {
  const { clock, heard, refused, hold, replica } = stage(waiter("p"));
  const lead = replica();
  refused.add("Waiting");
  const end = lead();
  await clock.turn(MINUTE_MS);
  await end();
  refused.clear();
  expect(heard()).toEqual([]);
  const endAgain = lead();
  await clock.turn(MINUTE_MS);
  hold({ holder: "p", token: 42, acquiredMs: clock.nowMs() }, "uid-of-p");
  await clock.turn(1_000);
  expect(heard()).toEqual(["p Waiting 1m", "p Granted 2m"]);
  await endAgain();
});

test("after a time without an arbiter, the first Waiting comes late, but not never", async () => {
  const { clock, heard, begin } = stage(waiter("p"));
  await clock.turn(5 * MINUTE_MS);
  const end = begin();
  await clock.turn(MINUTE_MS);
  expect(heard()).toEqual(["p Waiting 5m"]);
  await end();
});

test("an arbiter whose term is over tells nothing", async () => {
  const { clock, told, put, begin } = stage(waiter("p", { spec: { waitUntilMs: NOW_MS + MINUTE_MS } }));
  await begin()();
  put(waiter("p", { status: { phase: "Denied", reason: "TimedOut" } }));
  await clock.turn(MINUTE_MS);
  expect(told).toEqual([]);
});

test("however many wait in one namespace, no second has more than the bound, and others are told soon", async () => {
  const crowd = Array.from({ length: 3_000 }, (_, index) => waiter(`w-${index}`));
  const { clock, told, caches, put, begin } = stage(...crowd);
  const end = begin();
  await clock.turn(MINUTE_MS);
  caches.leases.apply({ ...held(), namespace: "quiet", resourceVersion: "90000" });
  put({ ...waiter("one", { spec: { requestedAtMs: NOW_MS + MINUTE_MS } }), namespace: "quiet" });
  await clock.turn(15_000);
  expect(told.filter(({ object }) => object.namespace === "quiet")).toHaveLength(1);
  for (let second = 0; second < 75; second++) {
    const within = told.filter(({ afterMs }) => afterMs >= second * 1_000 && afterMs < (second + 1) * 1_000);
    expect(within.length).toBeLessThanOrEqual(ARBITER_EVENTS_PER_SECOND);
  }
  expect(told.length).toBeGreaterThan(60 * ARBITER_EVENTS_PER_SECOND);
  expect(new Set(told.map(({ object }) => object.uid)).size).toBe(told.length);
  await end();
});
