/** What is looked up at each scrape. */
import { describe, expect, test } from "vitest";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import type { LeaseName, ReplicaState } from "../../../src/metrics/state.ts";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { fedReflector } from "../controller/fed-reflector.ts";
import { aHold, aLease, aRequest, NOW_MS } from "../lease/samples.ts";
import { counted, countedMetrics, samplesOf } from "./scraped.ts";

const NOTHING_HEARD = { lastEventMonotonicMs: undefined };

function stage({ leases = [], isLeader = true }: { leases?: LeaseName[]; isLeader?: boolean } = {}) {
  const cached = {
    leases: fedReflector<Lease>(),
    requests: fedReflector<LeaseRequest>({
      [BY_LEASE]: ({ namespace, spec }) => `${namespace}/${spec.lease}`,
    }),
  };
  const state = { isLeader };
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 100_000 };
  const caches: ReplicaState["caches"] = {
    ...cached,
    pods: { lastEventMonotonicMs: 97_000 },
    jobs: NOTHING_HEARD,
    nodes: NOTHING_HEARD,
  };
  const metrics = countedMetrics();
  metrics.observe({
    ...{ caches, leases, clock },
    isLeader: () => state.isLeader,
    openStreams: () => 3,
    certificateNotAfterMs: () => 1_800_000_000_000,
  });
  return { ...cached, state, metrics };
}

const OF_REPLICA = {
  gate_streams: 3,
  certificate_not_after_timestamp_seconds: 1_800_000_000,
  'cache_age_seconds{resource="pods"}': 3,
};
const waitsSince = (seconds: number, name: string, lease = "nightly") =>
  aRequest({ name, spec: { lease, requestedAtMs: NOW_MS - 1_000 * seconds } });

test("the arbiter tells who waits, since when, and of whom nothing proves an end", async () => {
  const { leases, requests, metrics } = stage();
  requests.apply(waitsSince(20, "a"));
  requests.apply(waitsSince(70, "b", "weekly"));
  requests.apply({ ...waitsSince(900, "granted"), status: { phase: "Granted" } });
  requests.apply({ ...waitsSince(900, "leaving"), terminating: true });
  leases.apply(aLease({ hold: aHold({ expired: true, unreachable: true }) }));
  leases.apply({ ...aLease({ hold: aHold() }), name: "weekly" });
  expect(await counted(metrics)).toEqual({
    ...OF_REPLICA,
    waiters: 2,
    oldest_wait_seconds: 70,
    holders_unreachable: 1,
    arbiter_is_leader: 1,
  });
});

test("any other replica says nothing of them, also if it was the arbiter", async () => {
  const { requests, state, metrics } = stage();
  requests.apply(waitsSince(20, "a"));
  await metrics.page.text();
  state.isLeader = false;
  const samples = samplesOf(await metrics.page.text());
  expect(samples).toMatchObject({ konductor_arbiter_is_leader: 0, konductor_gate_streams: 3 });
  expect(Object.keys(samples).filter((name) => /waiters|oldest|unreachable/.test(name))).toEqual([]);
});

const nightly = { namespace: "ns", name: "nightly" };

test("a holder whose request could not be marked does not wait", async () => {
  const { leases, requests, metrics } = stage({ leases: [nightly] });
  const holder = waitsSince(20_000, "holder");
  requests.apply(holder);
  requests.apply(waitsSince(20, "a"));
  leases.apply(aLease({ hold: aHold(), lastRequest: holder.uid }));
  expect(samplesOf(await metrics.page.text())).toMatchObject({
    konductor_waiters: 1,
    konductor_oldest_wait_seconds: 20,
    'konductor_lease_waiters{lease_namespace="ns",lease="nightly"}': 1,
    'konductor_lease_oldest_wait_seconds{lease_namespace="ns",lease="nightly"}': 20,
  });
});

describe("kleases with series of their own", () => {
  test("are those that the admin names, whether they exist or not", async () => {
    const { leases, requests, metrics } = stage({ leases: [nightly, { namespace: "ns", name: "missing" }] });
    requests.apply(waitsSince(20, "a"));
    requests.apply(waitsSince(70, "b", "weekly"));
    leases.apply(aLease({ hold: aHold({ acquiredMs: NOW_MS - 30_000 }) }));
    const samples = samplesOf(await metrics.page.text());
    const own = Object.entries(samples).filter(([name]) => name.startsWith("konductor_lease_"));
    const named = (lease: string) => `{lease_namespace="ns",lease="${lease}"}`;
    expect(Object.fromEntries(own)).toEqual({
      [`konductor_lease_waiters${named("nightly")}`]: 1,
      [`konductor_lease_waiters${named("missing")}`]: 0,
      [`konductor_lease_oldest_wait_seconds${named("nightly")}`]: 20,
      [`konductor_lease_oldest_wait_seconds${named("missing")}`]: 0,
      [`konductor_lease_held${named("nightly")}`]: 1,
      [`konductor_lease_held${named("missing")}`]: 0,
      [`konductor_lease_hold_age_seconds${named("nightly")}`]: 30,
      [`konductor_lease_hold_age_seconds${named("missing")}`]: 0,
    });
  });

  test("are the arbiter's to tell of", async () => {
    const { metrics } = stage({ leases: [nightly], isLeader: false });
    expect(await metrics.page.text()).not.toContain("lease_namespace");
  });
});

test("10,000 that wait cost a scrape some milliseconds, and no series", async () => {
  const { requests, metrics } = stage({ leases: [{ namespace: "ns", name: "nightly" }] });
  const before = (await metrics.page.text()).split("\n").length;
  for (let i = 0; i < 10_000; i++) requests.apply(waitsSince(i, `run-${i}`));
  const tookMs: number[] = [];
  for (let i = 0; i < 20; i++) {
    const startMs = performance.now();
    await metrics.page.text();
    tookMs.push(performance.now() - startMs);
  }
  const page = await metrics.page.text();
  expect(samplesOf(page)).toMatchObject({ konductor_waiters: 10_000, konductor_oldest_wait_seconds: 9_999 });
  expect(page.split("\n")).toHaveLength(before);
  // The quickest: what other work takes from this machine is not the scrape's.
  expect(Math.min(...tookMs)).toBeLessThan(50);
});
