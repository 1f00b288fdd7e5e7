/** Pods that do not wait, or only for a limited time: what they ask for, and how they are told. The test acts as the arbiter, which denies. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PodView } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { writeRequestStatus } from "../../../src/objects/lease-objects.ts";
import { isoTime } from "../../../src/shared/times.ts";
import type { Replica } from "./replica.ts";
import { createWorld, FIRST_RUN, LATER_RUN, type World } from "./world.ts";

const ONCE = { "if-held": "fail" };
const FIVE_MINUTES = { "wait-timeout": "5m" };

let world: World;
let one: Replica;
let other: Replica;

beforeAll(async () => {
  world = await createWorld("gate-api-denial");
  [one, other] = await Promise.all([world.startReplica(), world.startReplica()]);
});
afterAll(() => world?.close());

async function requestOf(pod: PodView): Promise<LeaseRequest> {
  const request = await world.request(pod);
  if (!request) throw new Error(`pod ${pod.name} has no request`);
  return request;
}

async function write(pod: PodView, status: LeaseRequest["status"]): Promise<void> {
  await writeRequestStatus(world.admin, await requestOf(pod), status, Date.now());
}

test.each([
  ["if-held: fail", ONCE, "Held", 0, 'it was not free, and konductor.io/if-held "fail" does not wait'],
  [
    "wait-timeout",
    FIVE_MINUTES,
    "TimedOut",
    300_000,
    "the pod has waited for 5m, its konductor.io/wait-timeout",
  ],
])("%s is told why it was denied", async (_, annotations, reason, waitMs, why) => {
  const { lease, pod: holder } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease, annotations });
  const lines = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  expect(await lines.next()).toMatchObject({ state: "waiting", holder: holder.name });
  const { spec } = await requestOf(pod);
  expect(spec).toMatchObject({ waitUntilMs: spec.requestedAtMs + waitMs, gateRun: FIRST_RUN });

  await write(pod, { phase: "Denied", reason });
  const since = isoTime((await world.lease(lease)).status.hold?.acquiredMs ?? 0);
  const message = `${why}; held by ${holder.name} since ${since}`;
  expect(await lines.next()).toMatchObject({ state: "denied", reason, message });
  expect(await lines.next()).toBeUndefined();
});

test("the run of a gate that was denied gets the same answer again, and a later run asks anew", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease, annotations: FIVE_MINUTES });
  const lines = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  await lines.next();
  lines.hangUp();
  await write(pod, { phase: "Denied", reason: "TimedOut" });
  const denied = await requestOf(pod);
  for (const replica of [one, other]) {
    const again = await replica.acquire(bearer, { lease, gateRun: FIRST_RUN });
    expect(await again.next()).toMatchObject({ state: "waiting" });
    expect(await again.next()).toMatchObject({ state: "denied", reason: "TimedOut" });
  }
  expect(await requestOf(pod)).toEqual(denied);

  const anew = await other.acquire(bearer, { lease, gateRun: LATER_RUN });
  expect(await anew.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });
  anew.hangUp();
  const { uid, spec, status } = await requestOf(pod);
  expect({ isSame: uid === denied.uid, status }).toEqual({ isSame: false, status: { phase: "Pending" } });
  expect(spec.requestedAtMs).toBeGreaterThan(denied.spec.requestedAtMs);
  expect(spec.waitUntilMs).toBe(spec.requestedAtMs + 300_000);
});

test("a pod that was passed over keeps its place and its deadline", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease, annotations: FIVE_MINUTES });
  const lines = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  await lines.next();
  const { spec } = await requestOf(pod);
  await write(pod, { phase: "Pending", reason: "NotConfirmed" });
  expect(await lines.next()).toMatchObject({ state: "reconnect" });
  const again = await other.acquire(bearer, { lease, gateRun: LATER_RUN });
  await again.next();
  again.hangUp();
  expect(await requestOf(pod)).toMatchObject({ spec, status: { phase: "Pending" } });
});

test("a pod that was granted before an old arbiter denied it is let in", async () => {
  const lease = world.fresh("lease");
  await world.createLease(lease);
  const { pod, bearer } = await world.newPod({ lease, annotations: ONCE });
  const lines = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  await lines.next();
  lines.hangUp();
  const token = await world.grant(pod);
  await write(pod, { phase: "Denied", reason: "Held" });
  const again = await other.acquire(bearer, { lease, gateRun: FIRST_RUN });
  const told = [await again.next(), await again.next()].find((line) => line?.["state"] !== "waiting");
  expect(told).toMatchObject({ state: "granted", token });
});

test("a pod that does not wait is told at once that konductor must not create its Lease", async () => {
  const strict = await world.startReplica({ createMissingLeases: false });
  const lease = world.fresh("lease");
  const { pod, bearer } = await world.newPod({ lease, annotations: ONCE });
  const lines = await strict.acquire(bearer, { lease, gateRun: FIRST_RUN });
  expect(await lines.next()).toMatchObject({ state: "denied", reason: "NotFound" });
  expect(await world.request(pod)).toBeUndefined();
});
