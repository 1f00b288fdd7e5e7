/** What a waiting gate hears, and when. What its server asks of Kubernetes is tested on a real one. */
import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import type { Lease } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { createQueueView } from "../../../src/webhook/gate-api/queue-view.ts";
import { wait } from "../../../src/webhook/gate-api/wait.ts";
import { createWaiters } from "../../../src/webhook/gate-api/waiters.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { memoryCache } from "./memory-cache.ts";
import { recordedStream } from "./recorded-stream.ts";
import { leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

/** `live`: how the Lease stands when it is looked at; without it the API server does not answer. */
function waiting({ live, status = {} }: { live?: Lease; status?: object } = {}) {
  const clock = turnedClock();
  const caches = { ...memoryCaches(), pods: memoryCache<PodView>() };
  const request = requestOf("me", 1, { waitUntil: "2026-01-01T00:05:01Z" }, status);
  caches.requests.apply(request);
  caches.leases.apply(leaseHeldBy("holder", 1));
  const client: KubeClient = new Proxy(Object.create(null), {
    get: () => () =>
      live ? Promise.resolve(live) : Promise.reject(new KonductorError("Unreachable", "no API server")),
  });
  const options = {
    client,
    caches,
    events: { record: () => {} },
    reporter: { report: () => {} },
    authenticate: () => Promise.reject(new Error("nobody calls")),
    trust: () => ({ ca: "", urls: [] }),
    clock,
    logger: createLogger({ level: "silent" }),
    systemNamespace: "konductor-system",
    createMissingLeases: true,
  };
  const queue = createQueueView({ caches, clock });
  const waiters = createWaiters({ caches }, queue);
  const pod = parsePod({ metadata: { namespace: "a", name: "me", uid: "me" } });
  const { stream, lines, hangUp } = recordedStream();
  const sendAway = wait({ options, waiters, queue, pod, request, stream });
  return { clock, caches, lines, hangUp, sendAway };
}

const DENIED = { phase: "Denied", reason: "Held" };

test("it hears its place at once, and at least every 15 s, but no renewals", async () => {
  const { clock, caches, lines } = waiting();
  const place = { state: "waiting", position: 1, of: 1, holder: "holder" };
  expect(lines).toEqual([
    { ...place, since: "2026-01-01T00:00:00.000Z", expires: "2026-01-01T00:10:00.000Z" },
  ]);
  caches.leases.apply(leaseHeldBy("holder", 1, { renewals: 1, expires: "2026-01-01T00:15:00Z" }));
  await clock.turn(14_999);
  expect(lines).toHaveLength(1);
  await clock.turn(1);
  expect(lines[1]).toMatchObject({ ...place, expires: "2026-01-01T00:15:00.000Z" });
});

test("it hears nothing more once it has hung up", async () => {
  const { clock, caches, lines, hangUp } = waiting();
  hangUp();
  caches.leases.apply(leaseHeldBy("somebody", 2));
  await clock.turn(60_000);
  expect(lines).toHaveLength(1);
});

test("it hears when it is sent away", () => {
  const { lines, sendAway } = waiting();
  sendAway();
  sendAway();
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
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
])("it hears of a denial, and why: %s", async (reason, message) => {
  const { clock, caches, lines } = waiting({ live: leaseHeldBy("holder", 1) });
  const until = { waitUntil: "2026-01-01T00:05:01Z" };
  caches.requests.apply(requestOf("me", 1, until, { phase: "Denied", reason }));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "denied", reason, message }]);
});

test("it hears of a denial that came before it was back", async () => {
  const { clock, lines } = waiting({ live: leaseHeldBy("holder", 1), status: DENIED });
  await clock.turn(0);
  expect(lines.slice(1)).toMatchObject([{ state: "denied", reason: "Held" }]);
});

test("a grant counts for more than a denial", async () => {
  const { clock, caches, lines } = waiting({ live: leaseHeldBy("me", 2) });
  caches.requests.apply(requestOf("me", 1, {}, DENIED));
  await clock.turn(0);
  expect(lines.slice(1)).toMatchObject([{ state: "granted", token: 2 }]);
});

test("a denial that cannot be told apart from a grant is asked for again", async () => {
  const { clock, caches, lines } = waiting();
  caches.requests.apply(requestOf("me", 1, {}, DENIED));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
});

test("a grant that cannot be looked up is not believed: it comes back", async () => {
  const { clock, caches, lines } = waiting();
  caches.leases.apply(leaseHeldBy("me", 2));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
});
