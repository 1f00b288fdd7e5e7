/** What a waiting gate hears, and when. What its server asks of Kubernetes is tested on a real one. */
import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { createQueueView } from "../../../src/webhook/gate-api/queue-view.ts";
import { wait } from "../../../src/webhook/gate-api/wait.ts";
import { createWaiters } from "../../../src/webhook/gate-api/waiters.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { memoryCache } from "./memory-cache.ts";
import { recordedStream } from "./recorded-stream.ts";
import { leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

function waiting() {
  const clock = turnedClock();
  const caches = { ...memoryCaches(), pods: memoryCache<PodView>() };
  const request = requestOf("me", 1);
  caches.requests.apply(request);
  caches.leases.apply(leaseHeldBy("holder", 1));
  const unreachable: KubeClient = new Proxy(Object.create(null), {
    get: () => () => Promise.reject(new KonductorError("Unreachable", "no API server")),
  });
  const options = {
    client: unreachable,
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

test("it hears of a denial, and when it is sent away", () => {
  const [denied, away] = [waiting(), waiting()];
  denied.caches.requests.apply(requestOf("me", 1, {}, { phase: "Denied", reason: "Held" }));
  expect(denied.lines[1]).toMatchObject({ state: "denied", reason: "Held" });
  away.sendAway();
  away.sendAway();
  expect(away.lines.slice(1)).toEqual([{ state: "reconnect" }]);
});

test("a grant that cannot be looked up is not believed: it comes back", async () => {
  const { clock, caches, lines } = waiting();
  caches.leases.apply(leaseHeldBy("me", 2));
  await clock.turn(0);
  expect(lines.slice(1)).toEqual([{ state: "reconnect" }]);
});
