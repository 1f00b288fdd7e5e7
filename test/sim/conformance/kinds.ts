/** The behaviour of Kubernetes' own objects. */
import { expect } from "vitest";
import type { ObjectRef } from "../../../src/kube/api.ts";
import { ELECTION_LEASES, JOBS, LEASE_REQUESTS, PODS, TOKEN_REVIEWS } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { LEASE_LABEL, SCHEDULING_GATE, TOKEN_AUDIENCE } from "../../../src/shared/names.ts";
import { type Check, CONFIG_MAPS, code, metadataOf, uidOf, until, versionOf } from "./stage.ts";

export function kinds(check: Check): void {
  check("a pod is deleted within its grace period, or at once if nothing of it runs", async (stage) => {
    const { client, namespace, node } = stage;
    const pod = (name: string, spec: object) => ({
      metadata: { namespace, name },
      spec: { containers: [{ name: "main", image: "none" }], terminationGracePeriodSeconds: 20, ...spec },
    });
    const ref = (name: string): ObjectRef => ({ namespace, name });
    const created = await client.create(PODS, pod("bound", { nodeName: node }));
    expect(created).toMatchObject({ status: { phase: "Pending" } });
    const deleted = await client.delete(PODS, ref("bound"), { uid: uidOf(created) });
    expect(deleted).toMatchObject({
      metadata: { deletionGracePeriodSeconds: 20, deletionTimestamp: expect.any(String) },
    });
    // Neither a second deletion nor a change undoes the deletion.
    await client.delete(PODS, ref("bound"));
    const change = { metadata: { annotations: { a: "b" } } };
    const changed = await client.patch(PODS, ref("bound"), change, { type: "merge" });
    expect(metadataOf(changed)).toMatchObject({ deletionGracePeriodSeconds: 20, annotations: { a: "b" } });
    await client.delete(PODS, ref("bound"), { gracePeriodSeconds: 0 });
    await expect(client.get(PODS, ref("bound"))).rejects.toMatchObject(code("NotFound"));

    await client.create(
      PODS,
      pod("gated", { schedulingGates: [{ name: SCHEDULING_GATE }, { name: "a/b" }] }),
    );
    const take = [
      { op: "test", path: "/spec/schedulingGates/0/name", value: SCHEDULING_GATE },
      { op: "remove", path: "/spec/schedulingGates/0" },
    ];
    const ungate = () => client.patch(PODS, ref("gated"), take, { type: "json" });
    expect(await ungate()).toMatchObject({ spec: { schedulingGates: [{ name: "a/b" }] } });
    await expect(ungate()).rejects.toMatchObject(code("Invalid"));
    await client.delete(PODS, ref("gated"));
    await expect(client.get(PODS, ref("gated"))).rejects.toMatchObject(code("NotFound"));

    await client.create(PODS, pod("over", { nodeName: node }));
    await client.patch(
      PODS,
      ref("over"),
      { status: { phase: "Succeeded" } },
      { type: "merge", subresource: "status" },
    );
    await client.delete(PODS, ref("over"));
    await expect(client.get(PODS, ref("over"))).rejects.toMatchObject(code("NotFound"));
  });

  check(
    "an object with a finalizer is deleted when the finalizer is removed",
    async ({ client, namespace }) => {
      const ref = { namespace, name: "final" };
      await client.create(LEASE_REQUESTS, {
        metadata: { ...ref, finalizers: ["konductor.test/keep"] },
        spec: { lease: "a", holder: "a" },
      });
      const marked = await client.delete(LEASE_REQUESTS, ref);
      expect(metadataOf(marked)["deletionTimestamp"]).toBeDefined();
      await client.patch(LEASE_REQUESTS, ref, { metadata: { finalizers: null } }, { type: "merge" });
      await expect(client.get(LEASE_REQUESTS, ref)).rejects.toMatchObject(code("NotFound"));
    },
  );

  check("a request is deleted with its owner", async (stage) => {
    const { client, namespace } = stage;
    const owner = await client.create(CONFIG_MAPS, { metadata: { namespace, name: "owner" } });
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: uidOf(owner) }];
    const ref = { namespace, name: "owned" };
    const labels = { [LEASE_LABEL]: "a" };
    await client.create(LEASE_REQUESTS, {
      metadata: { ...ref, ownerReferences, labels },
      spec: { lease: "a", holder: "a" },
    });
    await client.delete(CONFIG_MAPS, { namespace, name: "owner" });
    const isGone = () =>
      client.get(LEASE_REQUESTS, ref).then(
        () => false,
        () => true,
      );
    await until(stage, isGone);
  });

  check("a Job's spec and status are guarded separately", async ({ client, namespace }) => {
    const ref = { namespace, name: "batch" };
    const containers = [{ name: "main", image: "none" }];
    const template = { spec: { restartPolicy: "Never", containers } };
    const created = await client.create(JOBS, { metadata: ref, spec: { suspend: true, template } });
    const uid = uidOf(created);
    const patch = (resourceVersion: string) => {
      const metadata = { uid, resourceVersion, annotations: { a: "b" } };
      return client.patch(JOBS, ref, { metadata, spec: { suspend: true } }, { type: "merge" });
    };
    // The Job controller writes, too.
    const again = async (tries: number): Promise<unknown> => {
      const version = versionOf(await client.get(JOBS, ref));
      return patch(version).catch((error: unknown) => (tries > 0 ? again(tries - 1) : Promise.reject(error)));
    };
    const patched = await again(5);
    expect(patched).toMatchObject({ spec: { suspend: true }, metadata: { annotations: { a: "b" } } });
    await expect(patch("1")).rejects.toMatchObject(code("Conflict"));
  });

  check("an election's record is guarded", async ({ client, namespace }) => {
    const ref = { namespace, name: "election" };
    const created = record(
      await client.create(ELECTION_LEASES, { metadata: ref, spec: { holderIdentity: "a" } }),
    );
    const taken = await client.replace(ELECTION_LEASES, { ...created, spec: { holderIdentity: "b" } });
    expect(taken).toMatchObject({ spec: { holderIdentity: "b" } });
    const late = { ...created, spec: { holderIdentity: "a" } };
    await expect(client.replace(ELECTION_LEASES, late)).rejects.toMatchObject(code("Conflict"));
  });

  check("a pod's token identifies the pod as long as the pod exists", async (stage) => {
    const { client, namespace, node, tokenOf, sleep } = stage;
    const ref = { namespace, name: "speaker" };
    const spec = { nodeName: node, containers: [{ name: "main", image: "none" }] };
    const uid = uidOf(await client.create(PODS, { metadata: ref, spec }));
    const token = await tokenOf({ ...ref, uid });
    const ask = async () =>
      record(
        record(await client.create(TOKEN_REVIEWS, { spec: { token, audiences: [TOKEN_AUDIENCE] } }))[
          "status"
        ],
      );
    expect(await ask()).toMatchObject({
      authenticated: true,
      audiences: [TOKEN_AUDIENCE],
      user: {
        username: `system:serviceaccount:${namespace}:default`,
        extra: {
          "authentication.kubernetes.io/pod-name": ["speaker"],
          "authentication.kubernetes.io/pod-uid": [uid],
        },
      },
    });
    await client.delete(PODS, ref, { gracePeriodSeconds: 0 });
    for (let tries = 0; tries < 100 && (await ask())["authenticated"] === true; tries++) await sleep(100);
    expect((await ask())["authenticated"]).not.toBe(true);
  });
}
