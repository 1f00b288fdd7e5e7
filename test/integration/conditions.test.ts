/** Each condition is waited for by the real `kubectl wait`, until it is true and until it is false; the test acts as the arbiter. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { LEASE_REQUESTS, LEASES } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { changeHold, endHold } from "../../src/lease/hold.ts";
import type { Hold, LeaseRequest, LeaseStatus } from "../../src/lease/types.ts";
import { createLeaseRequest, writeRequestStatus } from "../../src/objects/lease-objects.ts";
import { createWorld, type World } from "./gate-api/world.ts";
import { kubectlOf } from "./kubectl.ts";

let world: World;
const kubectl = kubectlOf(inject("cluster"));

beforeAll(async () => {
  world = await createWorld("conditions");
});
afterAll(() => world?.close());

const waitFor = (object: string, condition: string, timeout = "30s") =>
  kubectl(
    "wait",
    `--namespace=${world.namespace}`,
    `--for=condition=${condition}`,
    `--timeout=${timeout}`,
    object,
  );

/** `kubectl wait` begins while it is not so, and ends when `change` has made it so. */
async function becomes(object: string, condition: string, change: () => Promise<unknown>): Promise<void> {
  await expect(waitFor(object, condition, "1s")).rejects.toThrow("timed out");
  const [waited] = await Promise.all([waitFor(object, condition), change()]);
  expect(waited).toContain("condition met");
}

const isSo =
  (change: Partial<Hold>) =>
  (status: LeaseStatus): LeaseStatus =>
    changeHold(status, change);
const isOver = (status: LeaseStatus) => endHold({ status }, "Released", Date.now());

test.each([
  ["Releasing", { releasing: true }, { releasing: false }],
  ["Releasing", { releasing: true }, undefined],
  ["Revoked", { revoked: "Forced" as const }, undefined],
  ["HolderUnreachable", { expired: true, unreachable: true }, { unreachable: false }],
  ["HolderUnreachable", { expired: true, unreachable: true }, undefined],
])("%s of a klease, by %j and %j", async (type, yes, no) => {
  const { lease } = await world.newHolder();
  const object = `klease/${lease}`;
  await becomes(object, type, () => world.change(lease, isSo(yes)));
  await becomes(object, `${type}=false`, () => world.change(lease, no ? isSo(no) : isOver));
});

test("Held of a klease that was never held, is held, expires and is free again", async () => {
  const lease = world.fresh("lease");
  await world.createLease(lease);
  const object = `klease/${lease}`;
  await becomes(object, "Held=false", () => world.change(lease, (status) => status));
  const { pod } = await world.newPod({ lease });
  await becomes(object, "Held", () => world.grant(pod));
  await world.change(lease, isSo({ expired: true }));
  await waitFor(object, "Held");
  await becomes(object, "Held=false", () => world.change(lease, isOver));
});

test("Ready of a klease that is written for the first time, and is being deleted", async () => {
  const lease = world.fresh("lease");
  const ref = { namespace: world.namespace, name: lease };
  await world.createLease(lease);
  const object = `klease/${lease}`;
  await becomes(object, "Ready", () => world.change(lease, (status) => status));
  await world.admin.patch(
    LEASES,
    ref,
    { metadata: { finalizers: ["test.example/stay"] } },
    { type: "merge" },
  );
  await becomes(object, "Ready=false", async () => {
    await world.deleteLease(lease);
    await world.change(lease, (status) => status);
  });
  await world.admin.patch(LEASES, ref, { metadata: { finalizers: null } }, { type: "merge" }, parseLease);
});

test("a condition is not taken for the present one when the spec has changed since", async () => {
  const { lease } = await world.newHolder();
  const ref = { namespace: world.namespace, name: lease };
  const object = `klease/${lease}`;
  await waitFor(object, "Held");
  await world.admin.patch(LEASES, ref, { spec: { priority: 5 } }, { type: "merge" });
  await becomes(object, "Held", () => world.change(lease, (status) => status));
});

test("Granted of a request, which says at once that it is not granted, and what becomes of it", async () => {
  const { namespace, admin } = world;
  const spec = { lease: "any", holder: "ci", requestedAtMs: Date.now() };
  const request = await createLeaseRequest(admin, { namespace, name: world.fresh("request"), spec });
  const object = `klr/${request.name}`;
  const live = () => admin.get(LEASE_REQUESTS, request, parseLeaseRequest);
  const write = async (status: LeaseRequest["status"]) =>
    writeRequestStatus(admin, await live(), status, Date.now());
  await waitFor(object, "Granted=false");
  await becomes(object, "Granted", () => write({ phase: "Granted", token: 7 }));
  // A client renews: its spec changes, its status does not.
  const renewTime = "2026-01-01T00:00:00.000000Z";
  await admin.patch(LEASE_REQUESTS, request, { spec: { renewTime } }, { type: "merge" });
  await waitFor(object, "Granted");
  await becomes(object, "Granted=false", () => write({ phase: "Expired", reason: "Expired", token: 7 }));
  const printed = await kubectl(
    "get",
    object,
    `--namespace=${namespace}`,
    "--output=jsonpath={.status.conditions[*].reason}",
  );
  expect(printed).toBe("Expired");
});
