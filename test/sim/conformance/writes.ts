/** Writes: their preconditions, and what the schemas do with them. */
import { expect } from "vitest";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { type Check, CONFIG_MAPS, code, metadataOf, uidOf, versionOf } from "./stage.ts";

const HELD = {
  phase: "Held",
  holder: "a",
  holderRef: { kind: "LeaseRequest", name: "a", uid: "u" },
  acquired: "2026-01-01T00:00:00.000Z",
  expires: "2026-01-01T00:01:00.000Z",
  waiters: 0,
};
export function writes(check: Check): void {
  check("writes are guarded by resourceVersion and uid", async ({ client, namespace }) => {
    const ref = { namespace, name: "guarded" };
    const first = await client.create(CONFIG_MAPS, { metadata: ref, data: { color: "red" } });
    const guarded = { ...ref, resourceVersion: versionOf(first) };
    const second = await client.replace(CONFIG_MAPS, { metadata: guarded, data: { color: "blue" } });
    expect(BigInt(versionOf(second))).toBeGreaterThan(BigInt(versionOf(first)));
    expect(uidOf(second)).toBe(uidOf(first));
    await expect(client.replace(CONFIG_MAPS, { metadata: guarded })).rejects.toMatchObject({
      code: "Conflict",
      message: `cannot update configmap ${namespace}/guarded: Operation cannot be fulfilled on configmaps "guarded": the object has been modified; please apply your changes to the latest version and try again (HTTP 409)`,
    });
    const another = { ...ref, uid: "another" };
    await expect(client.replace(CONFIG_MAPS, { metadata: another })).rejects.toMatchObject(code("Conflict"));
    const patch = (metadata: object) =>
      client.patch(CONFIG_MAPS, ref, { metadata, data: { color: "green" } }, { type: "merge" });
    await expect(patch({ resourceVersion: versionOf(first) })).rejects.toMatchObject(code("Conflict"));
    // A patch has no precondition. Another uid is a forbidden change, which our client reports as the conflict that it means.
    await expect(patch({ uid: "another" })).rejects.toMatchObject({
      code: "Conflict",
      cause: { reason: "Invalid" },
    });
    const third = await patch({ uid: uidOf(first), resourceVersion: versionOf(second) });
    expect(third).toMatchObject({ data: { color: "green" } });
    const remove = (options: object) => client.delete(CONFIG_MAPS, ref, options);
    await expect(remove({ uid: "another" })).rejects.toMatchObject(code("Conflict"));
    await expect(remove({ resourceVersion: versionOf(second) })).rejects.toMatchObject(code("Conflict"));
    const status = await remove({ uid: uidOf(first), resourceVersion: versionOf(third) });
    expect(status).toMatchObject({ kind: "Status", status: "Success" });
  });

  check("missing and existing objects lead to errors", async ({ client, namespace }) => {
    const ref = { namespace, name: "absent" };
    const message = `cannot get klease ${namespace}/absent: leases.konductor.io "absent" not found (HTTP 404)`;
    await expect(client.get(LEASES, ref)).rejects.toMatchObject({ code: "NotFound", message });
    await expect(client.get(LEASES, ref)).rejects.toMatchObject({
      cause: { kind: "Status", details: { kind: "leases", name: "absent" } },
    });
    const absent = { metadata: { ...ref, uid: "u", resourceVersion: "1" } };
    await expect(client.replaceStatus(LEASES, absent)).rejects.toMatchObject(code("NotFound"));
    await expect(client.patch(LEASES, ref, {}, { type: "merge" })).rejects.toMatchObject(code("NotFound"));
    await expect(client.delete(LEASES, ref, { uid: "u" })).rejects.toMatchObject(code("NotFound"));
    await client.create(LEASES, { metadata: ref, spec: { ttl: "1m" } });
    await expect(client.create(LEASES, { metadata: ref, spec: { ttl: "1m" } })).rejects.toMatchObject({
      code: "AlreadyExists",
      message: `cannot create klease ${namespace}/absent: leases.konductor.io "absent" already exists (HTTP 409)`,
    });
    const bare = { metadata: { namespace, name: "bare" }, spec: {} };
    await expect(client.create(LEASES, bare)).rejects.toMatchObject(code("Invalid"));
    const upper = { metadata: { namespace, name: "Upper" } };
    await expect(client.create(CONFIG_MAPS, upper)).rejects.toMatchObject(code("Invalid"));
  });

  check("status is a subresource of its own", async ({ client, namespace }) => {
    const ref = { namespace, name: "parts" };
    const created = await client.create(LEASES, { metadata: ref, spec: { ttl: "1m" }, status: HELD });
    expect(record(created)["status"]).toBeUndefined();
    expect(created).toMatchObject({ metadata: { generation: 1 }, spec: { priority: 0, renewable: true } });
    const held = await client.replaceStatus(LEASES, {
      metadata: { ...ref, uid: uidOf(created), resourceVersion: versionOf(created), labels: { a: "b" } },
      status: { ...HELD, fencingToken: 7 },
    });
    expect(held).toMatchObject({ metadata: { generation: 1 }, spec: { ttl: "1m" }, status: { holder: "a" } });
    expect(metadataOf(held)["labels"]).toBeUndefined();
    const main = {
      metadata: { annotations: { a: "b" } },
      spec: { ttl: "2m" },
      status: { phase: "Available" },
    };
    const patched = await client.patch(LEASES, ref, main, { type: "merge" });
    expect(patched).toMatchObject({
      metadata: { generation: 2 },
      spec: { ttl: "2m" },
      status: { holder: "a" },
    });
    const same = await client.patch(LEASES, ref, { spec: { ttl: "2m" } }, { type: "merge" });
    expect(versionOf(same)).toBe(versionOf(patched));
    const stale = {
      metadata: { ...ref, resourceVersion: versionOf(held) },
      status: { ...HELD, fencingToken: 8 },
    };
    await expect(client.replaceStatus(LEASES, stale)).rejects.toMatchObject(code("Conflict"));
    const another = { metadata: { ...ref, uid: "another" }, status: { ...HELD, fencingToken: 8 } };
    await expect(client.replaceStatus(LEASES, another)).rejects.toMatchObject(code("Conflict"));
  });

  check("a klease's tokens rise", async ({ client, namespace }) => {
    const ref = { namespace, name: "tokens" };
    await client.create(LEASES, { metadata: ref, spec: { ttl: "1m" } });
    const write = (status: object) =>
      client.patch(LEASES, ref, { status }, { type: "merge", subresource: "status" });
    await expect(write(HELD)).rejects.toMatchObject(code("Invalid"));
    await write({ ...HELD, fencingToken: 7 });
    await write({ renewals: 1 });
    await expect(write({ holder: "b" })).rejects.toMatchObject(code("Invalid"));
    await expect(write({ fencingToken: 6 })).rejects.toMatchObject(code("Invalid"));
    await expect(write({ phase: "Available" })).rejects.toMatchObject(code("Invalid"));
    await write({ phase: "Available", holder: null, holderRef: null });
    await expect(write({ ...HELD, fencingToken: 7 })).rejects.toMatchObject(code("Invalid"));
    await write({ ...HELD, fencingToken: 8 });
  });

  check("a request begins pending, and does not change", async ({ client, namespace }) => {
    const ref = { namespace, name: "request" };
    const spec = { lease: "a", holder: "a", requestedAt: "2026-01-01T00:00:00.000000Z" };
    const created = await client.create(LEASE_REQUESTS, { metadata: ref, spec });
    const conditions = [{ type: "Granted", status: "False", reason: "Waiting" }];
    expect(created).toMatchObject({ spec, status: { phase: "Pending", conditions } });
    const patch = (change: object) => client.patch(LEASE_REQUESTS, ref, { spec: change }, { type: "merge" });
    await patch({ renewTime: "2026-01-01T00:00:01.000000Z" });
    await expect(patch({ lease: "b" })).rejects.toMatchObject(code("Invalid"));
    const another = { metadata: { uid: "another" }, spec: { renewTime: "2026-01-01T00:00:02.000000Z" } };
    const meantForAnother = client.patch(LEASE_REQUESTS, ref, another, { type: "merge" });
    await expect(meantForAnother).rejects.toMatchObject(code("Conflict"));
    await expect(patch({ priority: 1 })).rejects.toMatchObject(code("Invalid"));
    const granted = { metadata: { ...ref, uid: uidOf(created) }, status: { phase: "Granted" } };
    const latest = await client.get(LEASE_REQUESTS, ref);
    const current = { ...granted.metadata, resourceVersion: versionOf(latest) };
    await expect(
      client.replaceStatus(LEASE_REQUESTS, { metadata: current, status: granted.status }),
    ).rejects.toMatchObject(code("Invalid"));
    const status = { phase: "Granted", fencingToken: 3 };
    expect(await client.replaceStatus(LEASE_REQUESTS, { metadata: current, status })).toMatchObject({
      status,
    });
  });
}
