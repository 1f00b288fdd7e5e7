/**
 * The attacker has konductor's own token. RBAC: deploy/rbac.yaml. It allows patch and delete on pods, patch on Jobs and their status, update of one
 * webhook configuration, and creation of Secrets and coordination Leases in konductor's namespace.
 */
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { createKubeClient } from "../../../src/kube/client.ts";
import { createEventRecorder } from "../../../src/kube/events.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { list } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import {
  GATE_CONTAINER,
  LEASE_LABEL,
  RESUMED_ANNOTATION,
  SCHEDULING_GATE,
  SUSPENDED_ANNOTATION,
} from "../../../src/shared/names.ts";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { waitFor } from "../../cluster/wait.ts";
import { accountKubeconfig } from "../../e2e/process-environment.ts";
import { createReplica, replicaFlags } from "../../e2e/replica.ts";
import { noteRights } from "../../rights.ts";
import { ACCOUNT, AS_KONDUCTOR } from "../admission-clients.ts";
import { type Kubectl, kubectlOf } from "../kubectl.ts";

const ROOT = join(import.meta.dirname, "../../..");
const MANIFESTS = [
  "deploy/namespace.yaml",
  "deploy/crds",
  "deploy/rbac.yaml",
  "deploy/ca-bundle-role.yaml",
  "deploy/own-account.yaml",
];
const WEBHOOKS = join(ROOT, "webhook-config/mutating.yaml");
const LABELLED = { [LEASE_LABEL]: "nightly" };
const MAIN = { name: "main", image: "none" };

let cluster: Cluster;
let kubectl: Kubectl;

beforeAll(async () => {
  const { env } = inject("cluster");
  cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} } });
  kubectl = kubectlOf(cluster);
  for (const path of MANIFESTS) await kubectl("apply", `--filename=${join(ROOT, path)}`);
  await kubectl("create", "namespace", "team");
  // kubectl reads an object before it patches it.
  await kubectl("create", "clusterrole", "look", "--verb=get", "--resource=jobs/status");
  await kubectl("create", "clusterrolebinding", "look", "--clusterrole=look", `--user=${ACCOUNT}`);
  await waitFor({
    what: "the policies to be in force",
    withinMs: 30_000,
    async holds() {
      for (const namespace of ["team", "kube-system"])
        await kubectl("get", "serviceaccount", "default", `--namespace=${namespace}`);
      await createPod("probe");
      await expect(asKonductor("delete", "pod/probe")).rejects.toThrow("konductor touches no pod but");
      await createJob("probe", {});
      await expect(patch("job/probe", { spec: { suspend: false } })).rejects.toThrow(
        "konductor touches no Job",
      );
      return true;
    },
  });
});
afterAll(() => cluster?.stop());

const asKonductor = (verb: string, what: string, namespace = "team") =>
  kubectl(verb, what, `--namespace=${namespace}`, AS_KONDUCTOR);

function patch(what: string, change: object, ...args: string[]): Promise<string> {
  const namespace = args.some((arg) => arg.startsWith("--namespace")) ? [] : ["--namespace=team"];
  return kubectl(
    "patch",
    what,
    "--type=merge",
    `--patch=${JSON.stringify(change)}`,
    AS_KONDUCTOR,
    ...namespace,
    ...args,
  );
}

function createPod(name: string, { labels = {}, spec = {}, namespace = "team" } = {}): Promise<string> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { containers: [MAIN], ...spec },
  };
  return kubectl.withObject(pod, "apply");
}

function createJob(name: string, labels: object): Promise<string> {
  const template = { metadata: { labels }, spec: { restartPolicy: "Never", containers: [MAIN] } };
  const metadata = { name, namespace: "team", annotations: { by: "ada" } };
  return kubectl.withObject(
    { apiVersion: "batch/v1", kind: "Job", metadata, spec: { suspend: true, template } },
    "apply",
  );
}

describe("a pod", () => {
  const gated = { schedulingGates: [{ name: SCHEDULING_GATE }] };
  const gate = { initContainers: [{ name: GATE_CONTAINER, image: "none" }] };
  const UNCHANGED = "konductor changes nothing of a pod but its scheduling gates";
  const REFUSED = "konductor touches no pod but those that it has let wait";

  test("without the label is left alone", async () => {
    await createPod("free");
    await expect(asKonductor("delete", "pod/free")).rejects.toThrow(REFUSED);
    const image = { spec: { containers: [{ name: "main", image: "evil" }] } };
    await expect(patch("pod/free", image, "--type=strategic")).rejects.toThrow(REFUSED);
    await expect(patch("pod/free", { metadata: { labels: LABELLED } })).rejects.toThrow(REFUSED);
  });

  test("in kube-system is left alone, whatever its labels and containers", async () => {
    await createPod("system", { labels: LABELLED, spec: gate, namespace: "kube-system" });
    await expect(asKonductor("delete", "pod/system", "kube-system")).rejects.toThrow(REFUSED);
  });

  test("that waits loses its scheduling gate, and nothing else of it changes", async () => {
    await createPod("waits", { labels: LABELLED, spec: gated });
    for (const change of [
      { spec: { containers: [{ name: "main", image: "evil" }] } },
      { spec: { nodeSelector: { to: "me" } } },
      { spec: { activeDeadlineSeconds: 1 } },
      { metadata: { labels: { app: "mine" } } },
      { metadata: { annotations: { app: "mine" } } },
      { metadata: { finalizers: ["example.com/mine"] } },
      { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n", uid: "n" }] } },
    ])
      await expect(patch("pod/waits", change, "--type=strategic"), JSON.stringify(change)).rejects.toThrow(
        UNCHANGED,
      );
    const tolerant = [{ op: "add", path: "/spec/tolerations/-", value: { operator: "Exists" } }];
    await expect(patch("pod/waits", tolerant, "--type=json")).rejects.toThrow(UNCHANGED);
    await patch("pod/waits", { spec: { schedulingGates: null } });
    await asKonductor("delete", "pod/waits");
  });

  test("whose label was removed is deleted as a holder", async () => {
    await createPod("holder", { spec: gate });
    await asKonductor("delete", "pod/holder");
  });
});

describe("a Job", () => {
  const condition = (type: string) => ({
    ...{ type, status: "True", reason: "LeaseHeld", message: "skipped" },
    lastProbeTime: "2026-01-01T00:00:00Z",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
  const complete = { status: { conditions: [condition("SuccessCriteriaMet")] } };

  test("without the label, or with the label only on the Job itself, is left alone", async () => {
    await createJob("free", {});
    await kubectl("label", "job/free", "--namespace=team", `${LEASE_LABEL}=nightly`);
    for (const [change, ...args] of [
      [{ spec: { suspend: false } }],
      [complete, "--subresource=status"],
      [{ metadata: { annotations: { [SUSPENDED_ANNOTATION]: "true" } } }],
    ] as const)
      await expect(patch("job/free", change, ...args), JSON.stringify(change)).rejects.toThrow(
        "konductor touches no Job but those whose pod template bears the label",
      );
  });

  test("that waits is resumed and marked, and nothing else of it changes", async () => {
    await createJob("waits", LABELLED);
    for (const change of [
      { spec: { parallelism: 9 } },
      { spec: { backoffLimit: 9 } },
      { spec: { activeDeadlineSeconds: 1 } },
      { spec: { ttlSecondsAfterFinished: 0 } },
      { spec: { template: { spec: { nodeSelector: { to: "me" } } } } },
      { metadata: { annotations: { by: "me" } } },
      { metadata: { annotations: { by: null } } },
      { metadata: { annotations: { more: "me" } } },
      { metadata: { annotations: { more: "" } } },
      { metadata: { labels: { app: "" } } },
      { metadata: { labels: { app: "mine" } } },
      { metadata: { labels: { [LEASE_LABEL]: "another" } } },
      { metadata: { finalizers: ["example.com/mine"] } },
    ])
      await expect(patch("job/waits", change), JSON.stringify(change)).rejects.toThrow(
        "konductor changes nothing of a Job but spec.suspend, and its own label and marks",
      );
    const annotations = { [SUSPENDED_ANNOTATION]: null, [RESUMED_ANNOTATION]: "7" };
    await patch("job/waits", { metadata: { labels: LABELLED, annotations }, spec: { suspend: false } });
    await patch("job/waits", {
      metadata: { annotations: { [SUSPENDED_ANNOTATION]: "true" } },
      spec: { suspend: true },
    });
  });

  test("that is skipped gets one condition", async () => {
    await createJob("skipped", LABELLED);
    const status = "--subresource=status";
    const conditions = ["job/skipped", "--namespace=team", "--output=jsonpath={.status.conditions}"];
    await waitFor({
      what: "its controller to have seen it",
      withinMs: 20_000,
      holds: async () => (await kubectl("get", ...conditions)) !== "",
    });
    const known = list(JSON.parse(await kubectl("get", ...conditions)));
    const withCondition = (type: string) => ({ status: { conditions: [...known, condition(type)] } });
    for (const change of [
      withCondition("FailureTarget"),
      { status: { conditions: [] } },
      { status: { active: 1 } },
      { status: { failed: 1 } },
    ])
      await expect(patch("job/skipped", change, status), JSON.stringify(change)).rejects.toThrow(
        "konductor changes nothing of a Job's status but the condition SuccessCriteriaMet",
      );
    await patch("job/skipped", withCondition("SuccessCriteriaMet"), status);
  });
});

describe("the webhook configuration", () => {
  const WHAT = "mutatingwebhookconfiguration/konductor";
  const change = (path: string, value: unknown) =>
    kubectl(
      "patch",
      WHAT,
      "--type=json",
      `--patch=${JSON.stringify([{ op: "add", path, value }])}`,
      AS_KONDUCTOR,
    );

  test("gets a caBundle, and keeps everything else", async () => {
    await kubectl("apply", `--filename=${WEBHOOKS}`);
    const rule = { apiGroups: [""], apiVersions: ["v1"], resources: ["secrets"], operations: ["*"] };
    for (const [path, value] of [
      ["/webhooks/0/rules/-", rule],
      ["/webhooks/0/clientConfig", { url: "https://attacker.example/" }],
      ["/webhooks/0/clientConfig/service/namespace", "attacker"],
      ["/webhooks/0/failurePolicy", "Ignore"],
      ["/webhooks/0/objectSelector", {}],
      ["/webhooks/0/namespaceSelector", {}],
      ["/webhooks/4/matchConditions", []],
      ["/webhooks/0/name", "other.konductor.io"],
      ["/metadata/labels", { "attacker.example/mine": "" }],
    ] as const)
      await expect(change(path, value), path).rejects.toThrow(
        "konductor changes nothing of its webhook configuration but caBundle",
      );
    await change("/webhooks/0/clientConfig/caBundle", Buffer.from("-----BEGIN").toString("base64"));
  });
});

test("no other name is written where RBAC cannot restrict names", async () => {
  const create = (...what: string[]) =>
    kubectl("create", ...what, "--namespace=konductor-system", AS_KONDUCTOR);
  await expect(create("secret", "generic", "default-token")).rejects.toThrow(
    "konductor writes no Secret but",
  );
  await create("secret", "generic", "konductor-tls");
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec: {} };
  const createLease = (name: string) =>
    kubectl.withObject(
      { ...lease, metadata: { name, namespace: "konductor-system" } },
      "create",
      AS_KONDUCTOR,
    );
  await expect(createLease("kube-scheduler")).rejects.toThrow("no coordination Lease but konductor-arbiter");
  await createLease("konductor-arbiter");
});

test("the account may count a repeated event", async () => {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(await accountKubeconfig(kubectl, cluster.dir));
  const events = createEventRecorder({
    client: createKubeClient({ kubeConfig, userAgent: "konductor-test" }),
    clock: systemClock(),
    logger: createLogger({ level: "silent" }),
    component: "konductor",
    perSecond: () => 10,
    instance: "replica-1",
  });
  const object = { apiVersion: "v1", kind: "Namespace", namespace: "team", name: "team", uid: "" };
  for (let times = 0; times < 2; times++) {
    events.record({ object, type: "Normal", reason: "Said", message: "hello" });
    await events.flush();
  }
  const counts = await kubectl(
    "get",
    "events",
    "--namespace=team",
    "-o=jsonpath={.items[?(@.reason=='Said')].count}",
  );
  expect(counts).toBe("2");
});

test("konductor needs no right to its webhook configuration if somebody else writes the CA bundle", async () => {
  await kubectl("delete", "--filename", join(ROOT, "deploy/ca-bundle-role.yaml"));
  await kubectl("apply", "--filename", WEBHOOKS);
  const configuration = () => kubectl("get", "mutatingwebhookconfiguration/konductor", "--output=json");
  const before = await configuration();
  const [port = 0, healthPort = 0] = cluster.freePorts;
  const flags = replicaFlags(
    { port, healthPort },
    {
      kubeconfigPath: await accountKubeconfig(kubectl, cluster.dir),
      image: "konductor:test",
      gateUrl: "https://127.0.0.1:1",
    },
  );
  // The second time, the certificate has to be issued anew.
  for (const further of [[], ["--tls-address=127.0.0.1"]]) {
    const replica = createReplica({
      identity: "replica-1",
      programPath: join(inject("cluster").programsDir, "konductor.js"),
      healthPort,
      clockOffsetMs: 0,
      logPath: join(cluster.dir, "log", "replica-1.log"),
      flags: [...flags, "--write-ca-bundle=false", ...further],
    });
    onTestFinished(() => replica.kill());
    await replica.start();
    await replica.stop();
    expect(await replica.log()).not.toContain("403");
  }
  expect(await configuration()).toBe(before);
  await noteRights(cluster, inject("cluster").env);
});
