/** The cluster as the tests of the gate API see it: pods without a kubelet, and an arbiter that the tests control. */
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { inject } from "vitest";
import { createKubeClient, type KubeClient } from "../../../src/kube/client.ts";
import { LEASE_REQUESTS, LEASES, NODES, PODS, TOKEN_REVIEWS } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { nextToken } from "../../../src/lease/grant.ts";
import { requestName } from "../../../src/lease/naming.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { Hold, Lease, LeaseRequest, LeaseStatus } from "../../../src/lease/types.ts";
import { createLease, writeLeaseStatus } from "../../../src/objects/lease-objects.ts";
import { hasCode } from "../../../src/shared/errors.ts";
import { record, text } from "../../../src/shared/json.ts";
import {
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  passMessage,
  SERVICE_ACCOUNT,
  SYSTEM_NAMESPACE,
  TOKEN_AUDIENCE,
} from "../../../src/shared/names.ts";
import { createAuthority } from "../../../src/tls/authority.ts";
import { waitFor } from "../../cluster/wait.ts";
import { kubectlOf } from "../kubectl.ts";
import { type Replica, type ReplicaOptions, startReplica } from "./replica.ts";

const DEPLOY = join(import.meta.dirname, "../../../deploy");
const CONTAINER = { image: "none" };

export interface PodOptions {
  /** undefined: no label. */
  lease?: string | undefined;
  /** Keys without the prefix. */
  annotations?: Readonly<Record<string, string>>;
  restartPolicy?: "Never" | "OnFailure";
}

export type MainState = "waiting" | "running" | "ended";

/** Two runs of one pod's gate. */
export const FIRST_RUN = "0a1b/1000";
export const LATER_RUN = "0a1b/2000";

export interface World {
  namespace: string;
  admin: KubeClient;
  startReplica(options?: Pick<ReplicaOptions, "createMissingLeases">): Promise<Replica>;
  createPod(name: string, options: PodOptions): Promise<PodView>;
  /** Writes the kubelet's part: the gate let main through under `token`, and the state of main. */
  showPassed(pod: PodView, token: number, main?: MainState): Promise<void>;
  /** Resolves when the API server rejects the token: it learns of a deletion by a watch of its own. */
  tokenEnds(token: string): Promise<void>;
  deletePod(pod: PodView, graceSeconds?: number): Promise<void>;
  /** A projected token, as mounted in the pod. */
  tokenOf(pod: PodView, audience?: string): Promise<string>;
  /** A token of the account, bound to no pod. */
  accountToken(): Promise<string>;
  /** A new pod and its token. */
  newPod(options: PodOptions): Promise<{ pod: PodView; bearer: string }>;
  /** A new pod that holds a new Lease: confirmed, unless `hold` says otherwise. */
  newHolder(
    options?: PodOptions,
    hold?: Partial<Hold>,
  ): Promise<{ lease: string; pod: PodView; bearer: string; token: number }>;
  /** A name that no object has yet. */
  fresh(prefix: string): string;
  createLease(name: string): Promise<Lease>;
  lease(name: string): Promise<Lease>;
  deleteLease(name: string): Promise<void>;
  /** The pod's request; undefined when there is none. */
  request(pod: PodView): Promise<LeaseRequest | undefined>;
  /** Resolves when `kubectl describe` of the pod shows what is wanted. */
  describes(pod: PodView, wanted: RegExp): Promise<void>;
  /** Writes a status computed from the live one. */
  change(lease: string, to: (status: LeaseStatus) => LeaseStatus): Promise<Lease>;
  /** Grants as the arbiter does, whether or not the pod has a request; returns the token. */
  grant(pod: PodView, hold?: Partial<Hold>): Promise<number>;
  close(): Promise<void>;
}

/** `name` names the namespace and the node: one for each test file. */
export async function createWorld(name: string): Promise<World> {
  const [namespace, nodeName] = [name, name];
  const target = inject("cluster");
  const kubectl = kubectlOf(target);
  await waitFor({
    what: "konductor's CRDs, namespace and rights",
    withinMs: 30_000,
    async holds() {
      for (const path of ["namespace.yaml", "crds", "rbac.yaml"])
        await kubectl("apply", "-f", join(DEPLOY, path));
      await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
      return true;
    },
  });
  await kubectl("create", "namespace", namespace);
  const adminConfig = new KubeConfig();
  adminConfig.loadFromFile(target.kubeconfigPath);
  const admin = createKubeClient({ kubeConfig: adminConfig, userAgent: "gate-api-test" });
  // The garbage collector deletes a pod whose node does not exist.
  await admin.create(NODES, { metadata: { name: nodeName }, spec: { unschedulable: true } });

  const token = (await kubectl("create", "token", SERVICE_ACCOUNT, `--namespace=${SYSTEM_NAMESPACE}`)).trim();
  const kubeConfig = new KubeConfig();
  const cluster = adminConfig.getCurrentCluster();
  if (!cluster) throw new Error("the kubeconfig names no cluster");
  kubeConfig.loadFromClusterAndUser(cluster, { name: SERVICE_ACCOUNT, token });
  const authority = await createAuthority(Date.now());
  const replicas: Replica[] = [];
  let count = 0;

  const lease = (name: string) => admin.get(LEASES, { namespace, name }, parseLease);
  async function request({ uid, lease: name = "" }: PodView): Promise<LeaseRequest | undefined> {
    const ref = { namespace, name: requestName(name, { kind: "Pod", uid }) };
    return admin.get(LEASE_REQUESTS, ref, parseLeaseRequest).catch((error: unknown) => {
      if (hasCode(error, "NotFound")) return undefined;
      throw error;
    });
  }
  async function change(name: string, to: (status: LeaseStatus) => LeaseStatus): Promise<Lease> {
    const read = await lease(name);
    return writeLeaseStatus(admin, read, to(read.status), Date.now());
  }
  async function requestToken(spec: object): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
    const answer = await admin.raw("POST", path, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [TOKEN_AUDIENCE], expirationSeconds: 3_600, ...spec },
    });
    return text(record(record(answer)["status"])["token"]) ?? "";
  }

  const world: World = {
    namespace,
    admin,
    lease,
    request,
    change,
    async startReplica(options) {
      const replica = await startReplica({ kubeConfig, authority, ...options });
      replicas.push(replica);
      return replica;
    },
    createPod(name, { lease: label, annotations = {}, restartPolicy = "OnFailure" }) {
      const written = Object.entries(annotations).map(([key, value]) => [`konductor.io/${key}`, value]);
      return admin.create(
        PODS,
        {
          metadata: {
            name,
            namespace,
            ...(label && { labels: { [LEASE_LABEL]: label } }),
            annotations: Object.fromEntries(written),
          },
          spec: {
            nodeName,
            restartPolicy,
            initContainers: [
              { name: GATE_CONTAINER, ...CONTAINER },
              { name: KEEPER_CONTAINER, ...CONTAINER, restartPolicy: "Always" },
            ],
            containers: [{ name: "main", ...CONTAINER }],
          },
        },
        parsePod,
      );
    },
    async showPassed({ name }, holdToken, mainState = "running") {
      const [startedAt, finishedAt] = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"];
      const message = passMessage(holdToken);
      const terminated = { exitCode: 0, startedAt, finishedAt, message };
      const main = {
        waiting: { waiting: { reason: "PodInitializing" } },
        running: { running: { startedAt: finishedAt } },
        ended: { terminated: { exitCode: 0, startedAt: finishedAt, finishedAt } },
      }[mainState];
      const shown = { image: "none", imageID: "", ready: true, restartCount: 0 };
      const status = {
        phase: "Running",
        initContainerStatuses: [{ ...shown, name: GATE_CONTAINER, state: { terminated } }],
        containerStatuses: [{ ...shown, name: "main", state: main }],
      };
      await admin.patch(PODS, { namespace, name }, { status }, { type: "merge", subresource: "status" });
    },
    tokenEnds: (bearer) =>
      waitFor({
        what: "the API server to refuse the token",
        // The API server caches accepted tokens for 10 s (TokenSuccessCacheTTL).
        withinMs: 15_000,
        async holds() {
          const review = { spec: { token: bearer, audiences: [TOKEN_AUDIENCE] } };
          const { authenticated } = record(record(await admin.create(TOKEN_REVIEWS, review))["status"]);
          return authenticated !== true;
        },
      }),
    describes: ({ name }, wanted) =>
      waitFor({
        what: `kubectl describe of pod ${name} to show ${wanted}`,
        withinMs: 10_000,
        holds: async () => wanted.test(await kubectl("describe", "pod", name, `--namespace=${namespace}`)),
      }),
    async deletePod({ name, uid }, gracePeriodSeconds) {
      await admin.delete(PODS, { namespace, name }, { uid, gracePeriodSeconds });
    },
    tokenOf: ({ name, uid }, audience = TOKEN_AUDIENCE) =>
      requestToken({ audiences: [audience], boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid } }),
    accountToken: () => requestToken({}),
    createLease: (name) => createLease(admin, { namespace, name, ttlMs: 600_000 }),
    async deleteLease(name) {
      await admin.delete(LEASES, { namespace, name });
    },
    async grant(pod, parts = {}) {
      const { lease: name = "" } = pod;
      const own = await request(pod);
      const nowMs = Date.now();
      const holdToken = nextToken(await lease(name), own ? [own] : [], nowMs);
      await change(name, (status) => ({
        ...status,
        lastToken: holdToken,
        ...(own && { lastRequest: own.uid }),
        hold: {
          holder: pod.name,
          ref: { kind: "Pod", name: pod.name, uid: pod.uid },
          token: holdToken,
          acquiredMs: nowMs,
          expiresMs: nowMs + 600_000,
          ttlMs: 600_000,
          renewals: 0,
          confirmed: false,
          expired: false,
          releasing: false,
          unreachable: false,
          ...parts,
        },
      }));
      return holdToken;
    },
    fresh: (prefix) => `${prefix}-${++count}`,
    async newPod(options) {
      const pod = await world.createPod(world.fresh("pod"), options);
      return { pod, bearer: await world.tokenOf(pod) };
    },
    async newHolder(options = {}, hold = { confirmed: true, gateRun: FIRST_RUN }) {
      const leaseName = world.fresh("lease");
      await world.createLease(leaseName);
      const { pod, bearer } = await world.newPod({ lease: leaseName, ...options });
      return { lease: leaseName, pod, bearer, token: await world.grant(pod, hold) };
    },
    async close() {
      await Promise.all(replicas.map((replica) => replica.stop()));
      const inNamespace = `--namespace=${namespace}`;
      await kubectl("delete", "pods", "--all", "--force", "--grace-period=0", inNamespace);
      await kubectl("delete", "namespace", namespace, "--wait=false");
      await kubectl("delete", "node", nodeName);
      await admin.close();
    },
  };
  return world;
}
