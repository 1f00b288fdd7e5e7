/**
 * What the arbiter asks before a klease's first grant, and about a pod that vanished. All else is tested on a real API server, or in
 * test/unit/lease.
 */
import { expect, test, vi } from "vitest";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";
import { buildArbiter } from "./built-arbiter.ts";
import { leaseObject, podObject, requestObject } from "./objects.ts";
import { recordedClient } from "./recorded-client.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const LEASE = aLease();
const waiter = aRequest({ name: "waiter", spec: { waitUntilMs: NOW_MS + 60_000 } });

const json = ({ spec, status, ...metadata }: LeaseRequest) => ({
  metadata,
  spec: { lease: spec.lease, holder: spec.holder, requestedAt: microTime(spec.requestedAtMs) },
  status: { phase: status.phase, fencingToken: status.token },
});

/**
 * An arbiter whose caches have the waiter and `pods`, none of which the API server has. `live` are the requests that the API server has.
 * Returns what the arbiter asked and wrote.
 */
function arbitrate(live: readonly LeaseRequest[], lease = LEASE, pods: readonly PodView[] = []) {
  const clock = turnedClock(NOW_MS);
  const { client, calls } = recordedClient(({ what, sent }) => {
    if (what === "list leaserequests") return live.map(json);
    if (what === "get pods") throw new KonductorError("NotFound", "no such pod");
    const { metadata, status } = record(sent);
    const spec = { ttl: "1m" };
    // Every write of the klease makes a new version.
    const written = { resourceVersion: String(100 + calls.length), generation: lease.generation };
    return { metadata: { ...record(metadata), ...written }, spec, status };
  });
  const { caches, begin } = buildArbiter({ client, clock });
  caches.leases.apply(lease);
  caches.requests.apply(waiter);
  for (const pod of pods) caches.pods.apply(pod);
  const end = begin();
  const written = (field: string) => () =>
    calls
      .filter(({ what }) => what === "replaceStatus leases")
      .map(({ sent }) => record(record(sent)["status"])[field]);
  return {
    clock,
    asked: () => calls.map(({ what }) => what),
    phases: written("phase"),
    holders: written("holder"),
    end,
  };
}

test("the API server is asked once who was granted a deleted klease of the same name", async () => {
  const { asked, phases, end } = arbitrate([waiter]);
  await expect.poll(phases).toContain("Held");
  await end();
  expect(asked().slice(0, 2)).toEqual(["list leaserequests", "replaceStatus leases"]);
  expect(asked().filter((what) => what === "list leaserequests")).toHaveLength(1);
});

test("a holder of the deleted klease is awaited, even if the cache has not shown it yet", async () => {
  const granted = aRequest({
    name: "granted",
    resourceVersion: "9",
    status: { phase: "Granted", token: 41 },
  });
  const { phases, end } = arbitrate([waiter, granted]);
  // The status is written at last, since somebody waits.
  await expect.poll(phases).not.toEqual([]);
  await end();
  expect(phases()).toEqual(["Available"]);
});

test("nothing is asked if the klease itself records a grant", async () => {
  const { asked, phases, end } = arbitrate([waiter], aLease({ lastToken: 41 }));
  await expect.poll(phases).toContain("Held");
  await end();
  expect(asked()).not.toContain("list leaserequests");
});

/** The delay after which the arbiter decides again after a live look. */
const LOOK_AGAIN_MS = 5;

test("a pod whose keeper announced its stop is looked at live, and its grace period counts from the announcement", async () => {
  const lease = held({ ref: { ...aHold().ref, stoppingSinceMs: NOW_MS }, releasing: true });
  const cached = parsePod({
    metadata: { namespace: "ns", name: "run-1", uid: "pod-1", resourceVersion: "1" },
  });
  const { asked, holders, clock, end } = arbitrate([], lease, [cached]);
  await expect.poll(asked).toContain("get pods");
  await clock.turn(LOOK_AGAIN_MS);
  await clock.waitedFor(36_000);
  await clock.turn(36_999 - LOOK_AGAIN_MS);
  expect(holders()).not.toContain("ci");
  await clock.turn(1);
  await expect.poll(holders).toContain("ci");
  await end();
});

test("no look is planned far ahead, and a silent holder with a long ttl still expires in time", async () => {
  const TTL_MS = 3_600_000;
  const waitUntil = microTime(NOW_MS + 24 * TTL_MS);
  const { clock, lease, until, end } = stageArbiter({
    objects: {
      leases: [leaseObject({ hold: aHold({ ttlMs: TTL_MS }) }, { ttl: "1h" })],
      pods: [podObject("run-1", "pod-1", { isRunning: true })],
      leaserequests: [requestObject("later", "uid-of-later", { waitUntil })],
    },
  });
  let isFarAhead = false;
  void clock.waitedFor(600_001).then(() => {
    isFarAhead = true;
  });
  const isExpired = () => {
    const { hold, history } = lease().status;
    return hold?.expired === true || history[0]?.reason === "Expired";
  };
  expect(await until(isExpired, TTL_MS + 10_000)).toBeGreaterThan(TTL_MS);
  expect(isExpired()).toBe(true);
  expect(isFarAhead).toBe(false);
  await end();
});

test("a klease of many pods rests after a look, although none of them has a request", async () => {
  const clock = turnedClock(NOW_MS);
  const { client } = recordedClient(() => undefined);
  const { caches, begin } = buildArbiter({ client, clock });
  const metadata = { namespace: "ns", labels: { [LEASE_LABEL]: "nightly" } };
  const pod = (index: number, resourceVersion = "1") =>
    parsePod({ metadata: { ...metadata, name: `run-${index}`, uid: `pod-${index}`, resourceVersion } });
  caches.leases.apply(aLease({ lastToken: 41 }));
  for (let index = 0; index < 2_000; index++) caches.pods.apply(pod(index));
  const end = begin();
  await clock.turn(1_000);
  const looks = vi.spyOn(caches.requests.store, "byIndex");
  for (let version = 2; version < 102; version++) {
    caches.pods.apply(pod(0, String(version)));
    await clock.turn(1);
  }
  // A look reads the requests a few times.
  expect(looks.mock.calls.length).toBeLessThan(40);
  await end();
});

test("a term that waits for lists that never come ends with its signal", async () => {
  const { client } = recordedClient(() => []);
  const { caches, begin } = buildArbiter({ client, clock: turnedClock(NOW_MS) });
  caches.requests.relist = () => new Promise(() => undefined);
  await begin()();
});
