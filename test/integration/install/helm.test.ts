/** The chart by the real Helm, on an API server without a node: konductor itself does not run. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { record, text } from "../../../src/shared/json.ts";
import { API_VERSION } from "../../../src/shared/names.ts";
import { packageVersion } from "../../../tools/build.ts";
import { CHART_DIR } from "../../../tools/manifests/forms.ts";
import { renderOverlay } from "../../../tools/manifests/render.ts";
import { binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { run } from "../../cluster/command.ts";
import { streamLog } from "../../cluster/log.ts";
import { type Kubectl, kubectlOf } from "../kubectl.ts";

const ROOT = join(import.meta.dirname, "../../..");
const NAMESPACE = "locks";
/** Names the Prometheus Operator's version. */
const OPERATOR_DIR = join(ROOT, "test/cluster/go/prometheus-operator");

let cluster: Cluster;
let kubectl: Kubectl;
let helm: (...args: string[]) => Promise<string>;

beforeAll(async () => {
  const { env } = inject("cluster");
  const log = { line() {}, status() {} };
  const binaries = await findBinaries(["helm"], binarySources(process.env, streamLog(process.stderr)));
  cluster = await startCluster({ node: "none", env, log });
  kubectl = kubectlOf(cluster);
  helm = (...args) =>
    run(binaries.helm, [...args, `--kubeconfig=${cluster.kubeconfigPath}`, `--namespace=${NAMESPACE}`]);
});
afterAll(() => cluster?.stop());

const chart = join(ROOT, CHART_DIR);
const replicas = () =>
  kubectl("get", "deployment/konductor", `--namespace=${NAMESPACE}`, "--output=jsonpath={.spec.replicas}");

test("install, upgrade and uninstall; Leases stay, and are there for the next install", async () => {
  await helm("install", "konductor", chart, "--create-namespace", "--set=replicaCount=1");
  expect(await replicas()).toBe("1");
  await kubectl.withObject(
    {
      apiVersion: API_VERSION,
      kind: "Lease",
      metadata: { name: "report", namespace: "default" },
      spec: { ttl: "1m" },
    },
    "create",
  );
  expect(await helm("upgrade", "konductor", chart, "--set=replicaCount=3")).toContain("REVISION: 2");
  expect(await replicas()).toBe("3");

  expect(await helm("uninstall", "konductor")).toContain("leases.konductor.io");
  await expect(replicas()).rejects.toThrow("not found");
  expect(
    await kubectl("get", "validatingadmissionpolicies,mutatingwebhookconfigurations", "--output=name"),
  ).toBe("");
  expect(await kubectl("get", "klease", "--output=name")).toContain("report");

  await helm("install", "konductor", chart);
  expect(await kubectl("get", "klease", "--output=name")).toContain("report");
});

test("an upgrade adds what the Prometheus Operator and Grafana need, and takes it away", async () => {
  const download = ["mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator"];
  const { Dir: dir } = record(
    JSON.parse(await run("go", download, { cwd: OPERATOR_DIR, env: inject("cluster").env })),
  );
  for (const kind of ["servicemonitors", "prometheusrules"]) {
    const path = join(
      text(dir) ?? "",
      "example/prometheus-operator-crd",
      `monitoring.coreos.com_${kind}.yaml`,
    );
    await kubectl("apply", "--server-side", "--filename", path);
    await kubectl("wait", "--for=condition=Established", "--filename", path);
  }
  const parts = ["serviceMonitor", "prometheusRule", "dashboard"];
  await helm("upgrade", "konductor", chart, ...parts.map((part) => `--set=monitoring.${part}.enabled=true`));
  const kinds = "servicemonitors,prometheusrules,networkpolicies,configmaps";
  const names = async () =>
    (await kubectl("get", kinds, `--namespace=${NAMESPACE}`, "--output=name")).split("\n");
  const added = [
    "servicemonitor.monitoring.coreos.com/konductor",
    "prometheusrule.monitoring.coreos.com/konductor",
    "networkpolicy.networking.k8s.io/konductor-metrics",
    "configmap/konductor-dashboard",
  ];
  expect(await names()).toEqual(expect.arrayContaining(added));
  await helm("upgrade", "konductor", chart, "--reset-values");
  expect((await names()).filter((name) => added.includes(name))).toEqual([]);
});

test("a release takes over what kustomize has installed", async () => {
  await helm("uninstall", "konductor");
  const image = { newName: "konductor", newTag: await packageVersion(ROOT) };
  const overlay = await renderOverlay(cluster.kubectlPath, join(ROOT, "deploy"), {
    namespace: NAMESPACE,
    image,
  });
  const path = join(cluster.dir, "overlay.yaml");
  await writeFile(path, overlay);
  await kubectl("apply", `--filename=${path}`);
  await helm("install", "konductor", chart, "--take-ownership", "--force-conflicts", "--set=replicaCount=4");
  expect(await replicas()).toBe("4");
});

test("a second release in the same cluster is refused, and changes nothing", async () => {
  const second = helm("install", "konductor-two", chart, "--set=replicaCount=5");
  await expect(second).rejects.toThrow(/exists and cannot be imported into the current release/);
  expect(await replicas()).not.toBe("5");
});
