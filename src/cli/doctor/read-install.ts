/** Reads what `koncli doctor` looks at, with the user's own rights. */
import type { KubeClient } from "../../kube/api.ts";
import { listAll } from "../../kube/list-pages.ts";
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ELECTION_LEASES,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NODES,
  type Resource,
  SECRETS,
} from "../../kube/resources.ts";
import { learnTime, type ServerClock } from "../../kube/server-clock.ts";
import { parseNode } from "../../objects/node-view.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { list, record, text } from "../../shared/json.ts";
import {
  API_VERSION,
  ELECTION_LEASE,
  GROUP,
  SERVICE_NAME,
  SYSTEM_NAMESPACE,
  VERSION,
  WEBHOOK_CONFIGURATION,
} from "../../shared/names.ts";
import { isAllowed } from "../access.ts";
import { ifKnown, type Known, tryRead } from "../known.ts";
import { certificateSecret } from "./deployment.ts";
import type { ApiObject, Install, Right, Trial, TwoClocks } from "./install.ts";

export interface ReadInstallOptions {
  client: KubeClient;
  /** The user's. */
  namespace: string;
  /** Where konductor runs, if the user says so. */
  konductorNamespace: string | undefined;
  koncliVersion: string;
  server: ServerClock;
  /** This machine's. */
  clock: Clock;
  signal: AbortSignal;
}

/** Rejects if the API server cannot be asked at all. */
export async function readInstall(options: ReadInstallOptions): Promise<Install> {
  const { client, koncliVersion, namespace: userNamespace } = options;
  const version = record(await client.raw("GET", "/version"));
  const webhook = await tryRead("get mutatingwebhookconfigurations", undefined, () =>
    client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name: WEBHOOK_CONFIGURATION }, record),
  );
  const { namespace, foundBy } = await findNamespace(options, ifKnown(webhook));
  const own = (resource: Resource, name: string) =>
    tryRead(`get ${nameOf(resource)}`, namespace, () => client.get(resource, { namespace, name }, record));
  const all = (resource: Resource) =>
    tryRead(`list ${resource.plural}`, undefined, () => listAll(client, resource, {}, record));
  const deployment = await own(DEPLOYMENTS, SERVICE_NAME);
  const secretName = certificateSecret(ifKnown(deployment));
  const [crds, policies, bindings, injection, secret, arbiter, nodes] = await Promise.all([
    Promise.all(CRD_NAMES.map((name) => readCrd(client, name))),
    all(POLICIES),
    all(BINDINGS),
    own(CONFIG_MAPS, INJECTION),
    own(SECRETS, secretName),
    own(ELECTION_LEASES, ELECTION_LEASE),
    tryRead("list nodes", undefined, () => listAll(client, NODES, {}, parseNode)),
  ]);
  return {
    ...{ namespace, foundBy, userNamespace, koncliVersion },
    server: {
      major: Number.parseInt(text(version["major"]) ?? "", 10),
      minor: Number.parseInt(text(version["minor"]) ?? "", 10),
      gitVersion: text(version["gitVersion"]) ?? "unknown",
    },
    servedVersions: await readServed(client),
    ...{ crds, webhook, policies, bindings, injection, secretName, secret, deployment, arbiter, nodes },
    trial: await tryRequest(client, userNamespace),
    rights: await Promise.all(RIGHTS.map((right) => review(client, userNamespace, right))),
    clocks: await compareClocks(options),
  };
}

export const CRD_NAMES = [`leases.${GROUP}`, `leaserequests.${GROUP}`];
export const INJECTION = "konductor-injection";

const clusterWide = (group: string, plural: string, kind: string): Resource => ({
  ...{ group, version: "v1", plural, kind, namespaced: false },
});
const CRDS = clusterWide("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition");
const ADMISSION = "admissionregistration.k8s.io";
const POLICIES = clusterWide(ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy");
const BINDINGS = clusterWide(
  ...([ADMISSION, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"] as const),
);

/** The election's Lease is not ours. */
const nameOf = ({ plural, group }: Resource) => (group.includes(".") ? `${plural}.${group}` : plural);

async function findNamespace(
  { client, konductorNamespace }: ReadInstallOptions,
  webhook: ApiObject | undefined,
): Promise<Pick<Install, "namespace" | "foundBy">> {
  if (konductorNamespace !== undefined) return { namespace: konductorNamespace, foundBy: "flag" };
  const [service] = list(webhook?.["webhooks"]).map((each) =>
    record(record(record(each)["clientConfig"])["service"]),
  );
  const named = text(service?.["namespace"]);
  if (named !== undefined) return { namespace: named, foundBy: "webhook" };
  const labelSelector = `app.kubernetes.io/name=${SERVICE_NAME}`;
  const found = await tryRead("list deployments", undefined, () =>
    listAll(client, DEPLOYMENTS, { labelSelector }, record),
  );
  const [first] = ifKnown(found) ?? [];
  const namespace = text(record(first?.["metadata"])["namespace"]);
  return namespace === undefined
    ? { namespace: SYSTEM_NAMESPACE, foundBy: "default" }
    : { namespace, foundBy: "label" };
}

function readCrd(client: KubeClient, name: string): Promise<{ name: string; object: Known<ApiObject> }> {
  const object = tryRead("get customresourcedefinitions", undefined, () =>
    client.get(CRDS, { name }, record),
  );
  return object.then((known) => ({ name, object: known }));
}

/** Everybody may ask this. A server that does not know the group answers by a 404. */
async function readServed(client: KubeClient): Promise<string[]> {
  try {
    const group = record(await client.raw("GET", `/apis/${GROUP}`));
    return list(group["versions"]).map((each) => text(record(each)["version"]) ?? "");
  } catch (error) {
    if (hasCode(error, "NotFound", "BadRequest", "Forbidden")) return [];
    throw error;
  }
}

/** Nothing is stored. The webhook that sees it declares that it has no side effects. */
async function tryRequest(client: KubeClient, namespace: string): Promise<Trial> {
  const path = `/apis/${GROUP}/${VERSION}/namespaces/${encodeURIComponent(namespace)}/leaserequests?dryRun=All`;
  const metadata = { namespace, generateName: "koncli-doctor-" };
  const spec = { lease: "koncli-doctor", holder: "koncli-doctor" };
  try {
    await client.raw("POST", path, { apiVersion: API_VERSION, kind: "LeaseRequest", metadata, spec });
    return { is: "accepted" };
  } catch (error) {
    if (!(error instanceof KonductorError) || error.code === "Unreachable") throw error;
    // Policies and quotas forbid, too, but in other words.
    const isRole = error.code === "Forbidden" && error.message.includes("cannot create resource");
    if (isRole) return { is: "unread", why: `you may not create leaserequests in ${namespace}` };
    return { is: "refused", message: error.message };
  }
}

const RIGHTS: readonly Omit<Right, "isAllowed">[] = [
  ...["get", "list", "watch"].flatMap((verb) =>
    ["leases", "leaserequests"].map((resource) => ({ verb, resource, role: "konductor-view" as const })),
  ),
  { verb: "create", resource: "leases", role: "konductor-user" },
  ...["create", "patch", "delete"].map((verb) => ({
    verb,
    resource: "leaserequests",
    role: "konductor-user" as const,
  })),
  ...["patch", "delete"].map((verb) => ({ verb, resource: "leases", role: "konductor-admin" as const })),
  { verb: "force", resource: "leaserequests", role: "konductor-admin" },
];

async function review(
  client: KubeClient,
  namespace: string,
  right: Omit<Right, "isAllowed">,
): Promise<Right> {
  const { verb, resource } = right;
  return { ...right, isAllowed: await isAllowed(client, { namespace, verb, group: GROUP, resource }) };
}

/** The API server's clock, asked until one of its seconds was seen to begin: for about a second. */
async function compareClocks({ client, server, clock, signal }: ReadInstallOptions): Promise<TwoClocks> {
  await learnTime(
    server,
    () => client.raw("GET", "/version", undefined, { onResponse: server.observe }),
    signal,
  );
  return { serverMs: server.nowMs(), machineMs: clock.nowMs(), unsureMs: server.unsureMs() };
}
