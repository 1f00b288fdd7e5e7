import type { KubeClient } from "../../src/kube/api.ts";
import { CRON_JOBS, DEPLOYMENTS, JOBS, NAMESPACES, namespaced, PODS } from "../../src/kube/resources.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { waitFor } from "../cluster/wait.ts";

const SERVICE_ACCOUNTS = namespaced("", "v1", "serviceaccounts", "ServiceAccount");
const OWNERS_OF_PODS = [
  ...[CRON_JOBS, JOBS, DEPLOYMENTS],
  namespaced("apps", "v1", "statefulsets", "StatefulSet"),
  namespaced("apps", "v1", "daemonsets", "DaemonSet"),
];

/** Creates a namespace and waits until pods can be created there: a controller adds the account that pods run as. */
export async function createNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(NAMESPACES, { metadata: { name } });
  await waitFor({
    what: `the default service account of namespace ${name}`,
    withinMs: 60_000,
    async holds() {
      await client.get(SERVICE_ACCOUNTS, { namespace: name, name: "default" });
      return true;
    },
  });
}

/**
 * Deletes the pods of a namespace and what would create further ones. The deletion of the namespace itself makes a controller list and delete every
 * kind of object there is: a quarter of all requests of a suite.
 */
export async function deletePods(client: KubeClient, namespace: string): Promise<void> {
  for (const resource of [...OWNERS_OF_PODS, PODS]) {
    const { items } = await client.list(resource, { namespace }, parseOwned);
    // The garbage collector deletes what has an owner.
    const own = items.filter(({ isOwned }) => !isOwned);
    // One that has gone by itself keeps nothing else from being deleted.
    await Promise.allSettled(
      own.map(({ name }) =>
        client.delete(resource, { namespace, name }, { propagationPolicy: "Background" }),
      ),
    );
  }
}

function parseOwned(object: unknown): { name: string; isOwned: boolean } {
  const metadata = record(record(object)["metadata"]);
  return { name: text(metadata["name"]) ?? "", isOwned: list(metadata["ownerReferences"]).length > 0 };
}
