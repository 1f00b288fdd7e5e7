/**
 * The setup for tests of what people and programs may do with Leases and LeaseRequests: the manifests of `deploy/` and konductor's admission on a
 * real API server, with users who have the built-in roles. konductor itself does not run: the tests write what it would write.
 */
import { join } from "node:path";
import { expect } from "vitest";
import { record } from "../../src/shared/json.ts";
import { API_VERSION } from "../../src/shared/names.ts";
import { startCluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { startAdmission } from "./admission-server.ts";
import type { SharedCluster } from "./global-setup.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const ROOT = join(import.meta.dirname, "../..");
const MANIFESTS = [
  "deploy/namespace.yaml",
  "deploy/crds",
  "deploy/rbac.yaml",
  "deploy/user-roles.yaml",
  "webhook-config/policy.yaml",
];

export const NAMESPACE = "team";
export const IN_NAMESPACE = `--namespace=${NAMESPACE}`;
export const ACCOUNT = "system:serviceaccount:konductor-system:konductor";
export const AS_KONDUCTOR = `--as=${ACCOUNT}`;
/** The advice to a user who changes a request that is not theirs. */
export const OTHERS =
  "ask for the verb force on leaserequests.konductor.io, which ClusterRole konductor-admin has";

export interface Stage {
  readonly kubectl: Kubectl;
  /** kubectl with `object`, in the tests' namespace. */
  send(object: object, ...args: string[]): Promise<string>;
  /** A merge patch. */
  patch(what: string, change: object, ...args: string[]): Promise<string>;
  read(what: string): Promise<{
    object: Record<string, unknown>;
    metadata: Record<string, unknown>;
    spec: Record<string, unknown>;
  }>;
  /** Creates another namespace with the same users. */
  createNamespace(name: string): Promise<void>;
  stop(): Promise<void>;
}

export const objectOf = (kind: string, name: string, spec: object, metadata: object = {}) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, ...metadata },
  spec,
});
export const request = (name: string, spec: object = {}, metadata: object = {}) =>
  objectOf("LeaseRequest", name, { lease: "report", holder: "ci", ...spec }, metadata);

export async function startStage({ env }: Pick<SharedCluster, "env">): Promise<Stage> {
  const server = await startAdmission();
  const cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} } });
  const kubectl = kubectlOf(cluster);
  const stage: Stage = {
    kubectl,
    send: (object, ...args) => kubectl.withObject(object, ...args, IN_NAMESPACE),
    patch: (what, change, ...args) =>
      kubectl("patch", what, IN_NAMESPACE, "--type=merge", `--patch=${JSON.stringify(change)}`, ...args),
    async read(what) {
      const parsed: unknown = JSON.parse(await kubectl("get", what, IN_NAMESPACE, "--output=json"));
      const object = record(parsed);
      return { object, metadata: record(object["metadata"]), spec: record(object["spec"]) };
    },
    createNamespace: (name) => createNamespace(kubectl, name),
    async stop() {
      await cluster.stop();
      await server.stop();
    },
  };
  try {
    for (const path of MANIFESTS) await kubectl("apply", `--filename=${join(ROOT, path)}`);
    await kubectl.withObject(server.configuration, "create");
    await stage.createNamespace(NAMESPACE);
    await untilInForce(stage);
    return stage;
  } catch (error) {
    await stage.stop();
    throw error;
  }
}

/** alice and bob have edit, ada admin, vic view; pat has only the right that a forced release requires. */
async function createNamespace(kubectl: Kubectl, name: string): Promise<void> {
  const inIt = `--namespace=${name}`;
  await kubectl("create", "namespace", name);
  await kubectl("create", "role", "patch", inIt, "--verb=get,patch", "--resource=leases.konductor.io");
  for (const [role, ...users] of [
    ["--clusterrole=edit", "alice", "bob"],
    ["--clusterrole=admin", "ada"],
    ["--clusterrole=view", "vic"],
    ["--role=patch", "pat"],
  ] as const) {
    const binding = ["rolebinding", `of-${users[0]}`, inIt, role];
    await kubectl("create", ...binding, ...users.map((user) => `--user=${user}`));
  }
}

async function untilInForce({ kubectl, send }: Stage): Promise<void> {
  await waitFor({
    what: "roles, webhook and policies to be in force",
    withinMs: 30_000,
    async holds() {
      await kubectl("auth", "can-i", "get", "leases.konductor.io", "--as=vic", IN_NAMESPACE);
      await kubectl("auth", "can-i", "delete", "leases.konductor.io", "--as=ada", IN_NAMESPACE);
      await send(request("probe"), "apply", "--as=alice");
      await expect(kubectl("delete", "klr/probe", IN_NAMESPACE, "--as=bob")).rejects.toThrow(OTHERS);
      return true;
    },
  });
}
