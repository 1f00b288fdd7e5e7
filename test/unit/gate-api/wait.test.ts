/** What a waiting gate hears, and when. What its server asks of Kubernetes is tested on a real API server. */
import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import type { Lease } from "../../../src/lease/types.ts";
import { FRESH_FOR_MS } from "../../../src/objects/freshness.ts";
import { waitForJob } from "../../../src/server/gate-api/acquire/job-hold.ts";
import { createQueueView } from "../../../src/server/gate-api/acquire/queue-view.ts";
import { wait } from "../../../src/server/gate-api/acquire/wait.ts";
import { createWaiters } from "../../../src/server/gate-api/acquire/waiters.ts";
import { createLeaseTurns } from "../../../src/server/gate-api/hold/lease-turns.ts";
import { createWrittenRenewals } from "../../../src/server/gate-api/hold/written-renewals.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { memoryCache } from "./memory-cache.ts";
import { recordedStream } from "./recorded-stream.ts";
import { leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

/** `live` is the Lease that a live look finds. Without it the API server does not answer. */
function replica({ live }: { live?: Lease | "deleted" | undefined } = {}) {
  const clock = turnedClock();
  const trusted = { ca: "one", urls: ["https://10.0.0.1"] };
  const caches = { ...memoryCaches(), pods: memoryCache<PodView>() };
  caches.leases.apply(leaseHeldBy("holder", 1));
  const client: KubeClient = new Proxy(Object.create(null), {
    get: () => async () => {
      if (live === "deleted") throw new KonductorError("NotFound", "there is no such klease");
      if (!live) throw new KonductorError("Unreachable", "no API server");
      return live;
    },
  });
  const options = {
    client,
    caches,
    events: { record: () => {} },
    reporter: { report: () => {} },
    authenticate: () => Promise.reject(new Error("nobody calls")),
    verifySignature: () => Promise.reject(new Error("nobody calls")),
    trust: () => ({ ...trusted }),
    clock,
    logger: createLogger({ level: "silent" }),
    systemNamespace: "konductor-system",
    createMissingLeases: true,
  };
  const queue = createQueueView({ caches, clock });
  return { clock, caches, options, queue, trusted, waiters: createWaiters({ caches, clock }, queue) };
}

function waiting({ live, status = {} }: { live?: Lease | "deleted"; status?: object } = {}) {
  const { clock, caches, options, queue, trusted, waiters } = replica({ live });
  const request = requestOf("me", 1, { waitUntil: "2026-01-01T00:05:01Z" }, status);
  caches.requests.apply(request);
  const pod = parsePod({ metadata: { namespace: "a", name: "me", uid: "me" } });
  const { stream, lines, closes, hangUp } = recordedStream();
  wait({ options, waiters, queue, pod, request, stream });
  return { clock, caches, trusted, lines, closes, hangUp, drain: waiters.drain };
}

const DENIED = { phase: "Denied", reason: "Held" };

test("a waiting gate hears its place at once, and then every 15 s or sooner, but no renewals", async () => {
  const { clock, caches, lines } = waiting();
  const place = { state: "waiting", position: 1, of: 1, holder: "holder" };
  expect(lines).toEqual([
    {
      ...{ ...place, since: "2026-01-01T00:00:00.000Z", expires: "2026-01-01T00:10:00.000Z" },
      ...{ ca: "one", urls: ["https://10.0.0.1"] },
    },
  ]);
  caches.leases.apply(leaseHeldBy("holder", 1, { renewals: 1, expires: "2026-01-01T00:15:00Z" }));
  await clock.turn(14_999);
  expect(lines).toHaveLength(1);
  await clock.turn(1);
  expect(lines[1]).toMatchObject({ ...place, expires: "2026-01-01T00:15:00.000Z" });
});

test("a waiting gate hears whom to trust in the first line, and again only after a change", async () => {
  const { clock, trusted, lines } = waiting();
  await clock.turn(15_000);
  trusted.ca = "one and two";
  await clock.turn(30_000);
  const told = lines.map((line) => ("ca" in line ? line.ca : undefined));
  expect(told).toEqual(["one", undefined, "one and two", undefined]);
});

test("a gate that has hung up hears nothing more", async () => {
  const { clock, caches, lines, hangUp } = waiting();
  hangUp();
  caches.leases.apply(leaseHeldBy("somebody", 2));
  await clock.turn(60_000);
  expect(lines).toHaveLength(1);
});

test("a gate that is sent away hears so, and its connection is closed", async () => {
  const { lines, closes, drain } = waiting();
  await drain();
  await drain();
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
  expect(closes).toEqual([true]);
});

test("a gate that was passed over is asked to come back, and may do so here", () => {
  const { caches, lines, closes } = waiting();
  caches.requests.apply(requestOf("me", 1, {}, { phase: "Pending", reason: "NotConfirmed" }));
  expect(lines.slice(1)).toEqual([{ state: "reconnect", elsewhere: false }]);
  expect(closes).toEqual([false]);
});

test.each([
  [
    "Held",
    'it was not free, and konductor.io/if-held "fail" does not wait; held by holder since 2026-01-01T00:00:00.000Z',
  ],
  [
    "TimedOut",
    "the pod has waited for 5m, its konductor.io/wait-timeout; held by holder since 2026-01-01T00:00:00.000Z",
  ],
])("a waiting gate hears of a denial with its reason: %s", async (reason, message) => {
  const { clock, caches, lines } = waiting({ live: leaseHeldBy("holder", 1) });
  const until = { waitUntil: "2026-01-01T00:05:01Z" };
  caches.requests.apply(requestOf("me", 1, until, { phase: "Denied", reason }));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "denied", reason, message }]);
});

test("a gate that comes back hears of an earlier denial", async () => {
  const { clock, lines } = waiting({ live: leaseHeldBy("holder", 1), status: DENIED });
  await clock.turn(0);
  expect(lines.slice(1)).toMatchObject([{ state: "denied", reason: "Held" }]);
});

test("a grant takes precedence over a denial", async () => {
  const { clock, caches, lines } = waiting({ live: leaseHeldBy("me", 2) });
  caches.requests.apply(requestOf("me", 1, {}, DENIED));
  await clock.turn(0);
  expect(lines.slice(1)).toMatchObject([{ state: "granted", token: 2 }]);
});

test("a gate whose pod has lost its Job hears that its work is done, by whom and when", async () => {
  const done = [{ key: "seed", holder: "first", token: 7, timeMs: Date.parse("2026-01-01T00:00:00Z") }];
  const free = leaseHeldBy("somebody", 3);
  const { hold: _, ...status } = free.status;
  const { clock, caches, lines } = waiting({ live: { ...free, status: { ...status, done } } });
  const reason = "AlreadyDoneWithoutJob";
  caches.requests.apply(requestOf("me", 1, { once: "seed" }, { phase: "Denied", reason }));
  await clock.turn(0);
  const message =
    '"seed" is done already: by first at 2026-01-01T00:00:00Z, under token 7, and the pod has no Job any more that could end without ' +
    "having run; nobody holds it now";
  expect(lines.slice(1)).toEqual([{ state: "denied", reason, message }]);
});

test("a gate is asked to come back if no live look confirms its denial", async () => {
  const { clock, caches, lines } = waiting();
  caches.requests.apply(requestOf("me", 1, {}, DENIED));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
});

const GRANTED = { phase: "Granted", fencingToken: 2 };

test.each([
  ["its klease was deleted", "deleted" as const, { state: "reconnect", elsewhere: false }],
  ["its hold is over", leaseHeldBy("somebody", 3), { state: "reconnect", elsewhere: false }],
  ["its pod holds", leaseHeldBy("me", 2), { state: "granted", token: 2 }],
  ["the API server does not answer", undefined, { state: "reconnect" }],
])("a gate does not keep waiting once its request was granted: %s", async (_, live, line) => {
  const { clock, caches, lines } = waiting(live && { live });
  caches.requests.apply(requestOf("me", 1, {}, GRANTED));
  await clock.turn(0);
  expect(lines.slice(1)).toMatchObject([line]);
  const back = waiting({ ...(live && { live }), status: GRANTED });
  await back.clock.turn(0);
  expect(back.lines.slice(1)).toMatchObject([line]);
});

test("a gate is asked to come back if no live look confirms its grant", async () => {
  const { clock, caches, lines } = waiting();
  caches.leases.apply(leaseHeldBy("me", 2));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
});

/** A pod of the Job `import` waits for the hold of that Job. */
function waitingForJob(agoMs = 0) {
  const { clock, caches, options, queue, waiters } = replica();
  caches.requests.lastEventMonotonicMs = clock.monotonicMs() - agoMs;
  const podOf = (owner?: string) =>
    parsePod({
      metadata: {
        ...{ namespace: "a", name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" } },
        ...(owner && {
          ownerReferences: [
            { apiVersion: "batch/v1", kind: "Job", controller: true, name: owner, uid: owner },
          ],
        }),
      },
    });
  const { stream, lines, closes } = recordedStream();
  waitForJob({
    options: { ...options, turns: createLeaseTurns(clock), renewals: createWrittenRenewals(clock) },
    ...{ waiters, queue, stream },
    pod: podOf("import"),
  });
  return { clock, lines, closes, show: (owner?: string) => caches.pods.apply(podOf(owner)) };
}

test.each([0, FRESH_FOR_MS + 1])(
  "a pod that waits for its Job's hold is sent away if the replica's caches are outdated: last event %i ms ago",
  async (agoMs) => {
    const { clock, lines, closes } = waitingForJob(agoMs);
    await clock.turn(3_000);
    expect(lines[0]).toMatchObject({ state: "waiting" });
    expect([lines.slice(1), closes]).toEqual(agoMs === 0 ? [[], []] : [[{ state: "reconnect" }], [true]]);
  },
);

test.each([
  ["has lost its Job", undefined, { state: "reconnect", elsewhere: false }],
  ["still has its Job", "import", expect.objectContaining({ state: "waiting" })],
])("after 15 s a waiting pod that %s hears of it", async (_, owner, line) => {
  const { clock, lines, show } = waitingForJob();
  show(owner);
  await clock.turn(14_999);
  expect(lines.slice(1)).toEqual([]);
  await clock.turn(1);
  expect(lines.slice(1)).toEqual([line]);
});
