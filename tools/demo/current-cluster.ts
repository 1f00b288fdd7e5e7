/** The demo in the user's own cluster. Asks before it changes anything, uses a namespace of its own, and installs konductor only if it is missing. */
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import type { KubeClient, ObjectRef } from "../../src/kube/api.ts";
import { createKubeClient } from "../../src/kube/client.ts";
import { NAMESPACES, type Resource, SERVICES } from "../../src/kube/resources.ts";
import { hasCode } from "../../src/shared/errors.ts";
import { SERVICE_NAME, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { run } from "../../test/cluster/command.ts";
import { DEMO_NAMESPACE, type Place } from "./place.ts";

export interface CurrentClusterOptions {
  root: string;
  /** konductor's version, the tag of its image. */
  version: string;
  write(text: string): unknown;
  /** Asks a yes-or-no question. */
  confirm(question: string): Promise<boolean>;
}

/** Resolves when the user has agreed and konductor is installed; undefined if the user has not agreed. */
export async function enterCurrentCluster(options: CurrentClusterOptions): Promise<Place | undefined> {
  const { root, version, write, confirm } = options;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const context = kubeConfig.getCurrentContext();
  const server = kubeConfig.getCurrentCluster()?.server;
  if (!server)
    throw new Error("the kubeconfig has no current context: choose one by kubectl config use-context");
  const client = createKubeClient({ kubeConfig, userAgent: "konductor-demo" });
  const kubectl = (...args: string[]) => run("kubectl", [`--context=${context}`, ...args]);
  const manifests = join(root, "deploy");

  if (await exists(client, NAMESPACES, { name: DEMO_NAMESPACE })) {
    await client.close();
    throw new Error(
      `namespace ${DEMO_NAMESPACE} exists already: end the other demo, or delete the namespace`,
    );
  }
  const isInstalled = await exists(client, SERVICES, { namespace: SYSTEM_NAMESPACE, name: SERVICE_NAME });
  write(`context ${context}, server ${server}\n`);
  write(
    `The demo creates the namespace ${DEMO_NAMESPACE} with the workloads in examples/, and deletes it in the end.\n`,
  );
  write(
    isInstalled
      ? `konductor is installed (namespace ${SYSTEM_NAMESPACE}) and stays as it is.\n`
      : `konductor is not installed: the demo runs kubectl apply -k ${manifests}\n` +
          `(namespace ${SYSTEM_NAMESPACE}, two custom resource definitions, a mutating webhook, cluster roles).\n` +
          `The cluster must be able to get the image konductor:${version}: \`make image\` writes it to dist/image.tar,\n` +
          "but puts it on no node and in no registry.\n",
  );
  if (!(await confirm("Go on?"))) {
    await client.close();
    return undefined;
  }
  if (!isInstalled) {
    await kubectl("apply", "-k", manifests);
    write("waiting for konductor to become ready\n");
  }
  await kubectl("-n", SYSTEM_NAMESPACE, "rollout", "status", "deployment/konductor", "--timeout=120s").catch(
    (cause: unknown) => {
      const remedy = isInstalled ? "" : `; kubectl delete -k ${manifests} takes it away again`;
      throw new Error(
        `konductor did not become ready: can its nodes get the image konductor:${version}?${remedy}`,
        {
          cause,
        },
      );
    },
  );
  await client.create(NAMESPACES, { metadata: { name: DEMO_NAMESPACE } });

  return {
    description: `context ${context}`,
    kubeConfig,
    client,
    kubectl,
    async leave() {
      write(`\ndeleting namespace ${DEMO_NAMESPACE}\n`);
      await kubectl("delete", "namespace", DEMO_NAMESPACE, "--ignore-not-found", "--timeout=120s");
      if (!isInstalled)
        write(`konductor stays installed; kubectl delete -k ${manifests} takes it away again\n`);
      await client.close();
    },
  };
}

async function exists(client: KubeClient, resource: Resource, ref: ObjectRef): Promise<boolean> {
  try {
    await client.get(resource, ref);
    return true;
  } catch (error) {
    if (hasCode(error, "NotFound")) return false;
    throw error;
  }
}
