/** A namespace with kleases whose statuses the test writes and reports as konductor does, and dashboards that show it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { createEventRecorder } from "../../../src/kube/events.ts";
import { LEASES } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { endHold } from "../../../src/lease/hold.ts";
import type { Hold, Lease, LeaseStatus } from "../../../src/lease/types.ts";
import { createLease, writeLeaseStatus } from "../../../src/objects/lease-objects.ts";
import { createLeaseReporter } from "../../../src/objects/lease-reporter.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { waitFor } from "../../cluster/wait.ts";
import { adminClient } from "../../e2e/admin-client.ts";
import { NO_COUNTS } from "../../unit/controller/no-counts.ts";
import { aHold } from "../../unit/lease/samples.ts";
import { writeKubeconfig } from "../koncli.ts";
import { kubectlOf } from "../kubectl.ts";

const DEPLOY = join(import.meta.dirname, "../../../deploy");

/** Makes `namespace`, and `other`, in which the viewer has no rights. */
export async function setStage(namespace: string) {
  const cluster = inject("cluster");
  const client = adminClient(cluster);
  const kubectl = kubectlOf(cluster);
  const logger = createLogger({ level: "silent" });
  const events = createEventRecorder({
    ...{ client, logger, clock: systemClock() },
    ...{ perSecond: () => 10, component: "konductor", instance: "test" },
  });
  const reporter = createLeaseReporter({ events, recorder: NO_COUNTS, logger });
  const dir = await mkdtemp(join(tmpdir(), "konductor-dashboard-"));
  const other = `${namespace}-other`;
  for (const path of ["crds", "user-roles.yaml"]) await kubectl("apply", "-f", join(DEPLOY, path));
  await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
  for (const each of [namespace, other]) await kubectl("create", "namespace", each);
  await kubectl("-n", namespace, "create", "serviceaccount", "viewer");
  const binding = ["create", "rolebinding", "viewer", "--clusterrole=konductor-view"];
  await kubectl("-n", namespace, ...binding, `--serviceaccount=${namespace}:viewer`);
  const token = (await kubectl("-n", namespace, "create", "token", "viewer")).trim();
  const viewer = await writeKubeconfig(kubectl, join(dir, "viewer"), { user: { token } });
  await waitFor({
    what: "the new resources to be served",
    withinMs: 20_000,
    holds: async () => (await kubectl("-n", namespace, "get", "klease,klr", "-o", "name")) === "",
  });

  const read = (name: string) => client.get(LEASES, { namespace, name }, parseLease);

  /** Writes the status, and reports the change. */
  async function write(name: string, change: (lease: Lease) => Partial<LeaseStatus>): Promise<Lease> {
    const lease = await read(name);
    const { hold: _, ...rest } = lease.status;
    const written = await writeLeaseStatus(client, lease, { ...rest, ...change(lease) }, Date.now());
    reporter.report(lease, written);
    await events.flush();
    return written;
  }

  /** A hold that began `agoMs` ago. */
  function holdOf(token: number, agoMs = 1_000): Hold {
    const acquiredMs = Date.now() - agoMs;
    return aHold({
      ...{ token, holder: `run-${token}`, acquiredMs, expiresMs: Date.now() + 60_000 },
      ref: { kind: "Pod", name: `run-${token}`, uid: `pod-${token}` },
    });
  }

  return {
    ...{ cluster, client, kubectl, namespace, other, read, write, holdOf },
    /** A kubeconfig of somebody who may read kleases and requests of the namespace, and nothing else. */
    viewer,
    viewerName: `system:serviceaccount:${namespace}:viewer`,
    /** Lets the viewer read events and pods as well. */
    async letRead(): Promise<void> {
      const reader = ["create", "rolebinding", "reader", "--clusterrole=view"];
      await kubectl("-n", namespace, ...reader, `--serviceaccount=${namespace}:viewer`);
    },
    newLease: (name: string, where = namespace) =>
      createLease(client, { namespace: where, name, ttlMs: 60_000 }),
    grant: (name: string, token: number, agoMs?: number) =>
      write(name, () => ({ hold: holdOf(token, agoMs), lastToken: token })),
    end: (name: string) => write(name, (lease) => endHold(lease, "Released", Date.now())),
    /** A client's request. */
    async asks(name: string, lease: string, priority = 0): Promise<void> {
      const spec = { lease, holder: name, priority };
      const object = {
        apiVersion: "konductor.io/v1",
        kind: "LeaseRequest",
        metadata: { namespace, name },
        spec,
      };
      await kubectl.withObject(object, "create");
    },
    async strike(): Promise<void> {
      for (const each of [namespace, other]) await kubectl("delete", "namespace", each, "--wait=false");
      await client.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type Stage = Awaited<ReturnType<typeof setStage>>;
