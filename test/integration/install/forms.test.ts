/** Every form of the install gives the same objects, and those kept in the repository are current. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { list, record, text } from "../../../src/shared/json.ts";
import { packageVersion } from "../../../tools/build.ts";
import { CHART_DIR, installForms } from "../../../tools/manifests/forms.ts";
import { render, renderOverlay } from "../../../tools/manifests/render.ts";
import { type Binaries, binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import { run } from "../../cluster/command.ts";
import { streamLog } from "../../cluster/log.ts";

const ROOT = join(import.meta.dirname, "../../..");
const CHART = join(ROOT, CHART_DIR);
const TEMPLATES = `${CHART_DIR}/templates`;
/** Templates written by hand. */
const BY_HAND = ["_helpers.tpl", "NOTES.txt"];

let binaries: Binaries<"kubectl" | "helm">;
let dir: string;

beforeAll(async () => {
  binaries = await findBinaries(["kubectl", "helm"], binarySources(process.env, streamLog(process.stderr)));
  dir = await mkdtemp(join(tmpdir(), "konductor-forms-"));
});
afterAll(() => rm(dir, { recursive: true }));

type Objects = Record<string, unknown>;

function objectsOf(yaml: string): Objects {
  // A template of which a value leaves nothing is an empty document.
  const documents = parseAllDocuments(yaml)
    .map((document) => record(document.toJS()))
    .filter(({ kind }) => kind !== undefined);
  const named = documents.map((object) => [
    `${text(object["kind"])} ${text(record(object["metadata"])["name"])}`,
    object,
  ]);
  expect(new Set(named.map(([name]) => name)).size).toBe(named.length);
  return Object.fromEntries(named);
}

/** Without the namespace, which `helm install --create-namespace` makes, and what Helm is told about custom resource definitions. */
function asInChart(objects: Objects): Objects {
  const { "Namespace konductor-system": own, "Namespace locks": other, ...rest } = objects;
  expect([own, other].filter(Boolean)).toHaveLength(1);
  return rest;
}

const helmTemplate = (namespace: string, ...args: string[]) =>
  run(binaries.helm, [
    "template",
    "konductor",
    CHART,
    `--namespace=${namespace}`,
    "--kube-version=1.37",
    ...args,
  ]);

async function helmTemplateWith(namespace: string, values: object): Promise<string> {
  const path = join(dir, "values.json");
  await writeFile(path, JSON.stringify({ crds: { keep: false }, ...values }));
  return helmTemplate(namespace, `--values=${path}`);
}

test("what is made from deploy/ is current, and nothing else lies beside it: else run `make manifests`", async () => {
  const made = await installForms(ROOT, binaries.kubectl);
  for (const [path, content] of made) expect(await readFile(join(ROOT, path), "utf8"), path).toBe(content);
  const paths = (await readdir(join(ROOT, TEMPLATES))).filter((name) => !BY_HAND.includes(name));
  expect(paths.map((name) => `${TEMPLATES}/${name}`).toSorted()).toEqual(
    [...made.keys()].filter((path) => path.startsWith(TEMPLATES)).toSorted(),
  );
});

test("the chart gives the objects of install.yaml", async () => {
  const installed = objectsOf(await readFile(join(ROOT, "deploy/install.yaml"), "utf8"));
  expect(objectsOf(await helmTemplateWith("konductor-system", {}))).toEqual(asInChart(installed));
});

describe("an overlay in a foreign namespace", () => {
  let overlay: string;
  beforeAll(async () => {
    overlay = await render(binaries.kubectl, join(ROOT, "examples/overlay"));
  });

  test("leaves no trace of the namespace, image and list of exempt namespaces that deploy/ has", () => {
    expect(overlay).not.toContain("konductor-system");
    expect(overlay).not.toMatch(/konductor:\d/);
    expect(overlay.match(/- kube-system\n +- locks\n/g)).toHaveLength(5);
    expect(overlay.match(/- kube-system\n +- locks\n +- monitoring\n/g)).toHaveLength(5);
    const { "FlowSchema konductor": flow, "Deployment konductor": deployment } = objectsOf(overlay);
    expect(record(record(flow)["metadata"])["namespace"]).toBeUndefined();
    const [container] = list(
      record(record(record(record(deployment)["spec"])["template"])["spec"])["containers"],
    );
    const image = text(record(container)["image"]) ?? "";
    expect(image).toContain("registry.example/platform/konductor@sha256:");
    expect(overlay.split(image)).toHaveLength(4);
  });

  test("is what the chart gives with the same values", async () => {
    const chosen = await helmTemplateWith("locks", {
      image: {
        repository: "registry.example/platform/konductor",
        digest: overlay.match(/sha256:[0-9a-f]{64}/)?.[0],
      },
      imagePullSecrets: [{ name: "registry" }],
      workloads: { imagePullSecrets: ["registry"], mirrors: ["mirror.example/konductor"] },
      replicaCount: 3,
      priorityClassName: "platform-critical",
      exemptNamespaces: ["monitoring"],
    });
    expect(objectsOf(chosen)).toEqual(asInChart(objectsOf(overlay)));
  });
});

test.each([
  ["cert-manager", { source: "cert-manager" }],
  ["files", { source: "files" }],
  ["ca-bundle", { writeCaBundle: false }],
])("the chart gives the objects of the component certs/%s", async (component, certificates) => {
  const overlay = {
    namespace: "locks",
    image: { newName: "konductor", newTag: await packageVersion(ROOT) },
    components: [`certs/${component}`],
  };
  const objects = objectsOf(await renderOverlay(binaries.kubectl, join(ROOT, "deploy"), overlay));
  expect(JSON.stringify(objects)).not.toContain("konductor-system");
  expect(objectsOf(await helmTemplateWith("locks", { certificates }))).toEqual(asInChart(objects));
});

test("the chart gives the objects of the component deploy/monitoring, each if it is switched on", async () => {
  const overlay = {
    namespace: "locks",
    image: { newName: "konductor", newTag: await packageVersion(ROOT) },
    components: ["deploy/monitoring"],
  };
  const objects = objectsOf(await renderOverlay(binaries.kubectl, join(ROOT, "deploy"), overlay));
  const enabled = { enabled: true };
  const values = { serviceMonitor: enabled, prometheusRule: enabled, dashboard: enabled };
  expect(objectsOf(await helmTemplateWith("locks", { monitoring: values }))).toEqual(asInChart(objects));
  const without = objectsOf(await helmTemplateWith("locks", {}));
  const added = async (name: string) => {
    const some = objectsOf(await helmTemplateWith("locks", { monitoring: { [name]: enabled } }));
    return Object.keys(some).filter((object) => !(object in without));
  };
  expect(await added("serviceMonitor")).toEqual([
    "NetworkPolicy konductor-metrics",
    "ServiceMonitor konductor",
  ]);
  expect(await added("prometheusRule")).toEqual(["PrometheusRule konductor"]);
  expect(await added("dashboard")).toEqual(["ConfigMap konductor-dashboard"]);
});

test("the chart labels the objects of monitoring as an operator and Grafana look for them, and opens the port to whom it is told", async () => {
  const labelled = { enabled: true, labels: { release: "prometheus" } };
  const from = [{ namespaceSelector: { matchLabels: { team: "observers" } } }];
  const monitoring = {
    serviceMonitor: { ...labelled, from },
    prometheusRule: labelled,
    dashboard: { enabled: true, labels: { grafana_dashboard: "all" } },
  };
  const objects = objectsOf(await helmTemplateWith("locks", { monitoring }));
  const own = { "app.kubernetes.io/name": "konductor", release: "prometheus" };
  for (const name of ["ServiceMonitor konductor", "PrometheusRule konductor"])
    expect(objects[name]).toMatchObject({ metadata: { labels: own } });
  expect(objects["ConfigMap konductor-dashboard"]).toMatchObject({
    metadata: { labels: { grafana_dashboard: "all" } },
  });
  expect(objects["NetworkPolicy konductor-metrics"]).toMatchObject({
    spec: { ingress: [{ from, ports: [{ port: "metrics" }] }] },
  });
});

test("the chart keeps Leases when it is uninstalled, unless it is told otherwise", async () => {
  const crds = [
    "CustomResourceDefinition leases.konductor.io",
    "CustomResourceDefinition leaserequests.konductor.io",
  ];
  const byDefault = objectsOf(await helmTemplate("konductor-system"));
  for (const name of crds)
    expect(record(record(byDefault[name])["metadata"])["annotations"]).toMatchObject({
      "helm.sh/resource-policy": "keep",
    });
  const without = objectsOf(await helmTemplate("konductor-system", "--set=crds.enabled=false"));
  expect(crds.filter((name) => name in without)).toEqual([]);
});

test.each([
  ["image.digest=24a0c4b4", "/image/digest"],
  ["replicaCount=0", "/replicaCount"],
  ["replicas=3", "replicas"],
  ["workloads.mirrors={mirror.example/konductor:1}", "/workloads/mirrors/0"],
  ["extraArgs={log-level}", "/extraArgs/0"],
  ["monitoring.enabled=true", "/monitoring"],
  ["monitoring.serviceMonitor.labels.release=1", "/monitoring/serviceMonitor/labels/release"],
  ["monitoring.dashboard.enabled=yes", "/monitoring/dashboard/enabled"],
])("the chart refuses %s, and says where it stands", async (value, place) => {
  await expect(helmTemplate("konductor-system", `--set=${value}`)).rejects.toThrow(place);
});
