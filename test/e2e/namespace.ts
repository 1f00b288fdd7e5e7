import type { KubeClient } from "../../src/kube/api.ts";
import { NAMESPACES, type Resource } from "../../src/kube/resources.ts";
import { waitFor } from "../cluster/wait.ts";

const SERVICE_ACCOUNTS: Resource = {
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
  namespaced: true,
};

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
