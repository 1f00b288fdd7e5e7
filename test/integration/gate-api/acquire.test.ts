/** Acquire on a real API server, by TLS, with real tokens of real pods and konductor's own rights; the test acts as the arbiter. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LEASE_REQUESTS } from "../../../src/kube/resources.ts";
import { endHold } from "../../../src/lease/hold.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { deleteRequest } from "../../../src/objects/lease-objects.ts";
import { type Replica, URLS } from "./replica.ts";
import { createWorld, FIRST_RUN, LATER_RUN, type World } from "./world.ts";

let world: World;
let one: Replica;
let other: Replica;

beforeAll(async () => {
  world = await createWorld("gate-api-acquire");
  [one, other] = await Promise.all([world.startReplica(), world.startReplica()]);
});
afterAll(() => world?.close());

test("creates the Lease, queues, and is granted as soon as the arbiter says so", async () => {
  const lease = world.fresh("lease");
  const { pod, bearer } = await world.newPod({ lease, annotations: { ttl: "30s", priority: "7" } });
  const lines = await one.acquire(bearer, { lease });
  expect(await lines.next()).toEqual({
    state: "waiting",
    position: 1,
    of: 1,
    ca: expect.stringContaining("BEGIN CERTIFICATE"),
    urls: expect.any(Array),
    serverTime: expect.any(String),
  });
  expect((await world.lease(lease)).spec.ttlMs).toBe(30_000);
  expect(await world.request(pod)).toMatchObject({
    spec: {
      lease,
      holder: pod.name,
      ref: { kind: "Pod", name: pod.name, uid: pod.uid },
      priority: 7,
      ttlMs: 30_000,
      requestedBy: "system:serviceaccount:konductor-system:konductor",
    },
    status: { phase: "Pending" },
  });

  const token = await world.grant(pod, { ttlMs: 30_000 });
  expect(await lines.next()).toEqual({
    state: "granted",
    token,
    ttlMs: 30_000,
    renewEveryMs: 10_000,
    ca: expect.stringContaining("BEGIN CERTIFICATE"),
    urls: URLS,
    serverTime: expect.any(String),
  });
  expect(await lines.next()).toBeUndefined();
});

test("tells a waiter who holds, and each change of the holder", async () => {
  const { lease, pod: holder } = await world.newHolder();
  const [first, second] = [await world.newPod({ lease }), await world.newPod({ lease })];
  const streams = [
    await one.acquire(first.bearer, { lease }),
    await one.acquire(second.bearer, { lease }),
  ] as const;
  expect(await streams[0].next()).toMatchObject({ state: "waiting", position: 1, holder: holder.name });
  expect(await streams[1].next()).toMatchObject({
    state: "waiting",
    position: 2,
    of: 2,
    holder: holder.name,
  });
  await world.change(lease, (status) => endHold({ status }, "Released", Date.now()));
  await world.grant(first.pod);
  expect(await streams[0].next()).not.toHaveProperty("holder");
  expect(await streams[0].next()).toMatchObject({ state: "granted" });
  expect(await streams[1].next()).not.toHaveProperty("holder");
  expect(await streams[1].next()).toMatchObject({
    state: "waiting",
    position: 1,
    of: 1,
    holder: first.pod.name,
  });
  streams[1].hangUp();
});

test("keeps a place in the queue across replicas", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease });
  const before = await one.acquire(bearer, { lease });
  await before.next();
  const request = await world.request(pod);
  before.hangUp();
  const after = await other.acquire(bearer, { lease });
  expect(await after.next()).toMatchObject({ state: "waiting", position: 1 });
  expect(await world.request(pod)).toEqual(request);
  const token = await world.grant(pod);
  expect(await after.next()).toMatchObject({ state: "granted", token });
});

test("by a pod that waits already ends the pod's earlier connection", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease });
  const before = await one.acquire(bearer, { lease });
  await before.next();
  const after = await one.acquire(bearer, { lease });
  expect(await after.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });
  await before.closed;
  const token = await world.grant(pod);
  expect(await after.next()).toMatchObject({ state: "granted", token });
});

test("finds a grant that is not confirmed yet", async () => {
  const { lease, bearer, token } = await world.newHolder({}, { confirmed: false });
  for (const replica of [one, other, one]) {
    await replica.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.token === token);
    const lines = await replica.acquire(bearer, { lease });
    expect(await lines.next()).toMatchObject({ state: "granted", token });
    expect(await lines.next()).toBeUndefined();
  }
});

test("by a gate that runs again begins a new hold without a gap", async () => {
  const { lease, bearer, token } = await world.newHolder();
  await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.token === token);
  const lines = await one.acquire(bearer, { lease, gateRun: LATER_RUN });
  expect(await lines.next()).toMatchObject({ state: "granted", token: token + 1 });
  const { status } = await world.lease(lease);
  expect(status.hold).toMatchObject({ token: token + 1, confirmed: false, renewals: 0 });
  expect(status.history[0]).toMatchObject({ token, reason: "Restarted" });
});

test.each([FIRST_RUN, "0a1b/999", undefined])(
  "that arrives late, from run %s of a gate that has let main through, replaces nothing",
  async (gateRun) => {
    const { lease, bearer, token } = await world.newHolder();
    await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.token === token);
    const lines = await one.acquire(bearer, { lease, ...(gateRun && { gateRun }) });
    expect(await lines.next()).toMatchObject({ state: "reconnect" });
    expect((await world.lease(lease)).status.hold).toMatchObject({ token, confirmed: true });
  },
);

test.each<[string, Partial<Hold>]>([
  ["revoked", { confirmed: true, gateRun: FIRST_RUN, revoked: "Forced" }],
  ["expired", { confirmed: true, gateRun: FIRST_RUN, expired: true }],
])("by a gate that runs again ends a hold that was %s, and queues", async (_what, hold) => {
  const { lease, pod, bearer, token } = await world.newHolder({}, hold);
  await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.token === token);
  const lines = await one.acquire(bearer, { lease, gateRun: LATER_RUN });
  expect(await lines.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });
  lines.hangUp();
  const { status } = await world.lease(lease);
  expect(status.hold).toBeUndefined();
  expect(status.history[0]).toMatchObject({ token, reason: "Restarted" });
  expect(await world.request(pod)).toMatchObject({ status: { phase: "Pending" } });
});

test("with a lost token ends that hold and queues anew", async () => {
  const { lease, pod, bearer, token } = await world.newHolder();
  await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.token === token);
  const lines = await one.acquire(bearer, { lease, lostToken: token });
  expect(await lines.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });
  lines.hangUp();
  expect((await world.lease(lease)).status).toMatchObject({ history: [{ token, reason: "Fenced" }] });
  expect(await world.request(pod)).toMatchObject({ status: { phase: "Pending" } });
  await world.describes(
    pod,
    /Warning +Fenced .*lost klease \S+ \(token \d+\), .* The pod waits for it again\./,
  );
});

test("with the token of a hold that has expired meanwhile queues anew, and its pod is told of it", async () => {
  const { lease, pod, bearer, token } = await world.newHolder();
  await world.change(lease, (status) => endHold({ status }, "Expired", Date.now()));
  await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.history[0]?.token === token);
  const lines = await one.acquire(bearer, { lease, lostToken: token });
  expect(await lines.next()).toMatchObject({ state: "waiting" });
  lines.hangUp();
  await world.describes(pod, /Warning +Fenced /);
});

test("with a lost token is denied to a pod that must not restart", async () => {
  const { lease, pod, bearer, token } = await world.newHolder({ restartPolicy: "Never" });
  const lines = await one.acquire(bearer, { lease, lostToken: token });
  expect(await lines.next()).toMatchObject({ state: "denied", reason: "HoldLost" });
  expect(await lines.next()).toBeUndefined();
  expect((await world.lease(lease)).status.hold).toBeUndefined();
  expect(await world.request(pod)).toBeUndefined();
});

test("with another pod's token ends nothing", async () => {
  const { lease, token } = await world.newHolder();
  const { bearer } = await world.newPod({ lease });
  const lines = await one.acquire(bearer, { lease, lostToken: token });
  expect(await lines.next()).toMatchObject({ state: "waiting" });
  lines.hangUp();
  expect((await world.lease(lease)).status.hold).toMatchObject({ token });
  expect(one.recorded.filter((event) => event.startsWith("Fenced") && event.includes(lease))).toEqual([]);
});

test("queues again after a grant that was not confirmed", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease });
  const lines = await one.acquire(bearer, { lease });
  await lines.next();
  const { name } = (await world.request(pod)) ?? pod;
  const passedOver = { status: { phase: "Pending", reason: "NotConfirmed" } };
  const subresource = { type: "merge", subresource: "status" } as const;
  await world.admin.patch(LEASE_REQUESTS, { namespace: world.namespace, name }, passedOver, subresource);
  expect(await lines.next()).toMatchObject({ state: "reconnect" });
  const again = await one.acquire(bearer, { lease });
  await again.next();
  again.hangUp();
  expect((await world.request(pod))?.status).toEqual({ phase: "Pending", mayWait: true });
});

test("is denied when somebody deletes the request", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease });
  const lines = await one.acquire(bearer, { lease });
  await lines.next();
  const request = await world.request(pod);
  if (request) await deleteRequest(world.admin, request);
  expect(await lines.next()).toMatchObject({ state: "denied", reason: "Withdrawn" });
  expect(await lines.next()).toBeUndefined();
});

test("starts anew when its request has had its hold", async () => {
  const { lease } = await world.newHolder();
  const { pod, bearer } = await world.newPod({ lease });
  const lines = await one.acquire(bearer, { lease });
  await lines.next();
  const request = await world.request(pod);
  if (!request) throw new Error("there is no request");
  await world.change(lease, (status) => ({ ...status, lastRequest: request.uid }));
  await deleteRequest(world.admin, request);
  expect(await lines.next()).toMatchObject({ state: "reconnect" });
  const again = await one.acquire(bearer, { lease });
  expect(await again.next()).toMatchObject({ state: "waiting", position: 1 });
  again.hangUp();
  expect((await world.request(pod))?.uid).not.toBe(request.uid);
});

test("waits, and records an event, for a Lease that konductor must not create", async () => {
  const strict = await world.startReplica({ createMissingLeases: false });
  const lease = world.fresh("lease");
  const { pod, bearer } = await world.newPod({ lease });
  const lines = await strict.acquire(bearer, { lease });
  expect(await lines.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });
  expect(strict.recorded).toEqual([expect.stringContaining(`LeaseMissing: klease ${lease} does not exist`)]);
  await world.createLease(lease);
  const token = await world.grant(pod);
  expect(await lines.next()).toMatchObject({ state: "granted", token });
});
