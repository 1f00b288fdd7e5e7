/** A client, a namespace and log-free dependencies for the tests of src/kube. */
import { randomBytes } from "node:crypto";
import { KubeConfig } from "@kubernetes/client-node";
import { inject } from "vitest";
import { createKubeClient, type KubeClient } from "../../../src/kube/client.ts";
import { NAMESPACES, type Resource } from "../../../src/kube/resources.ts";
import { record, text } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { waitFor } from "../../cluster/wait.ts";

export { CONFIG_MAPS } from "../../../src/kube/resources.ts";

const CUSTOM_RESOURCE_DEFINITIONS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

export const silent = createLogger({ level: "silent" });

/** A client of the shared cluster. `server` is another address of the API server, such as a proxy's. */
export function connect(server?: string): KubeClient {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(inject("cluster").kubeconfigPath);
  const [cluster] = kubeConfig.clusters;
  if (!cluster) throw new Error("the test cluster's kubeconfig names no cluster");
  if (server) kubeConfig.clusters = [{ ...cluster, server }];
  return createKubeClient({ kubeConfig, userAgent: "konductor-test" });
}

/** Creates a namespace for one test; the end of the cluster removes it. */
export async function createNamespace(client: KubeClient): Promise<string> {
  const name = `kube-test-${randomBytes(4).toString("hex")}`;
  await client.create(NAMESPACES, { metadata: { name } });
  return name;
}

export interface Thing {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  color: string | undefined;
}

export function parseThing(value: unknown): Thing {
  const metadata = record(record(value)["metadata"]);
  const field = (name: string) => text(metadata[name]) ?? "";
  return {
    namespace: field("namespace"),
    name: field("name"),
    uid: field("uid"),
    resourceVersion: field("resourceVersion"),
    color: text(record(record(value)["data"])["color"]),
  };
}

/** Creates a new kind of resource: the API server has no history of it, so that early versions are too old. */
export async function createWidgets(client: KubeClient): Promise<Resource> {
  const group = `${randomBytes(4).toString("hex")}.konductor.test`;
  const widgets = { group, version: "v1", plural: "widgets", kind: "Widget", namespaced: true };
  const schema = { openAPIV3Schema: { type: "object" } };
  await client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  });
  await until("widgets to be served", () =>
    client.list(widgets).then(
      () => true,
      () => false,
    ),
  );
  return widgets;
}

/** Returns when `holds` does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await waitFor({ what, withinMs: 20_000, everyMs: 10, holds: async () => holds() });
}
