import { waitFor } from "../cluster/wait.ts";
import type { Kubectl } from "../integration/kubectl.ts";

/** Creates a namespace that pods can be created in: a controller gives it the account that they run as. */
export async function createNamespace(kubectl: Kubectl, name: string): Promise<void> {
  await kubectl("create", "namespace", name);
  await waitFor({
    what: `the default service account of namespace ${name}`,
    withinMs: 60_000,
    holds: async () => (await kubectl("-n", name, "get", "serviceaccount", "default")) !== "",
  });
}
