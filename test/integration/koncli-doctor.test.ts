/**
 * `koncli doctor`, as built, beside `kubectl apply -k deploy` on a real API server: each of its lines is provoked. No node is there that could
 * run konductor, so the tests write what konductor would.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { parse } from "yaml";
import { systemClock } from "../../src/shared/clock.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { startNode } from "../unit/gate/bundle.ts";
import { selfSigned } from "../unit/gate/certificates.ts";
import { koncli, writeKubeconfig } from "./koncli.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const WEBHOOK_CONFIGURATION = join(DEPLOY, "../webhook-config/mutating.yaml");
const SYSTEM = `--namespace=${SYSTEM_NAMESPACE}`;
const CONFIGURATION = "mutatingwebhookconfiguration/konductor";
const { env, programsDir } = inject("cluster");

let cluster: Cluster;
let kubectl: Kubectl;
let dir: string;
let certificate: string;

interface Report {
  code: unknown;
  /** Level and text of each check, one after the other. */
  of(check: string): string[];
}

/** The built koncli, whose version is that of deploy/. */
async function doctor(...args: string[]): Promise<Report> {
  const child = startNode(
    [join(programsDir, "koncli.js"), "doctor", "--kubeconfig", cluster.kubeconfigPath, "-o", "json", ...args],
    {},
  );
  const code = await child.exit;
  return reportOf(code, child.output());
}

function reportOf(code: unknown, out: string): Report {
  const findings = list(JSON.parse(out)).map(record);
  return {
    code,
    of: (check) =>
      findings
        .filter((each) => each["check"] === check)
        .map(
          ({ level, message, todo }) =>
            `${text(level)}: ${text(message)}${todo === undefined ? "" : `; ${text(todo)}`}`,
        ),
  };
}

async function patch(what: string, operations: object[], ...args: string[]): Promise<void> {
  await kubectl("patch", what, "--type=json", `--patch=${JSON.stringify(operations)}`, ...args);
}

const { webhooks } = record(parse(await readFile(WEBHOOK_CONFIGURATION, "utf8")));
const bundles = (caBundle: string, count = list(webhooks).length) =>
  Array.from({ length: count }, (_, index) => ({
    op: "add",
    path: `/webhooks/${index}/clientConfig/caBundle`,
    value: caBundle,
  }));

async function elect(renewedAgoMs: number): Promise<void> {
  const renewTime = new Date(Date.now() - renewedAgoMs).toISOString().replace("Z", "000Z");
  const metadata = { name: "konductor-arbiter", namespace: SYSTEM_NAMESPACE };
  const spec = { holderIdentity: "konductor-a", leaseDurationSeconds: 6, renewTime };
  await kubectl.withObject({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec }, "apply");
}

beforeAll(async () => {
  cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} } });
  kubectl = kubectlOf(cluster);
  dir = await mkdtemp(join(tmpdir(), "konductor-doctor-"));
  certificate = await readFile(join(cluster.dir, "pki/ca.crt"), "base64");
});
afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

test("without konductor it says that konductor is missing", async () => {
  const report = await doctor();
  expect(report.code).toBe(1);
  expect(report.of("crds")).toEqual([
    expect.stringMatching(/^fail: the API server does not serve konductor\.io\/v1; install konductor/),
  ]);
  expect(report.of("webhook")).toEqual([expect.stringMatching(/^fail: .* konductor is missing/)]);
  expect(report.of("policies")).toEqual([expect.stringMatching(/^fail: .*konductor-pods.* is missing/)]);
});

test("what was applied is as shipped, with the defaults of a real API server", async () => {
  await kubectl("apply", "-k", DEPLOY);
  await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
  const report = await doctor();
  for (const check of [
    "kubernetes",
    "namespace",
    "webhook",
    "policies",
    "bindings",
    "image",
    "version",
    "rights",
    "exempt",
    "clock",
  ])
    expect(report.of(check)).toEqual([expect.stringMatching(/^ok: /)]);
  expect(report.of("crds")).toEqual([
    expect.stringMatching(/^ok: leases/),
    expect.stringMatching(/^ok: leaserequests/),
  ]);
  // Nobody runs it here.
  expect(report.of("replicas")).toEqual([expect.stringMatching(/^fail: 0 of 2 replicas are ready/)]);
  expect(report.of("arbiter")).toEqual([expect.stringMatching(/^fail: no replica is the arbiter/)]);
  expect(report.of("ca-bundle")).toEqual([expect.stringMatching(/^fail: a webhook has no caBundle/)]);
  expect(report.of("admission")).toEqual([
    expect.stringMatching(/^fail: .*failed calling webhook "requests\.konductor\.io"/),
  ]);
  expect(report.of("fencing")).toEqual([expect.stringMatching(/^warn: no Linux node/)]);
  expect(report.code).toBe(1);
});

test("arbiter, caBundle and certificate as konductor would write them", async () => {
  await elect(1_000);
  await patch(CONFIGURATION, bundles(certificate));
  const metadata = { name: "konductor-tls", namespace: SYSTEM_NAMESPACE };
  const data = { "ca.crt": certificate, "tls.crt": certificate };
  await kubectl.withObject({ apiVersion: "v1", kind: "Secret", metadata, data }, "apply");
  const report = await doctor();
  expect(report.of("arbiter")).toEqual([
    expect.stringMatching(/^ok: konductor-a is the arbiter, heard \d+s ago$/),
  ]);
  expect(report.of("ca-bundle")).toEqual(["ok: caBundle has ca.crt of Secret konductor-tls"]);
  expect(report.of("certificate")).toEqual([
    expect.stringMatching(/^ok: the serving certificate lasts \d+\w more$/),
  ]);
});

test("another caBundle, a silent arbiter", async () => {
  await patch(CONFIGURATION, bundles(Buffer.from(selfSigned().cert).toString("base64"), 1));
  await elect(60_000);
  const report = await doctor();
  expect(report.of("ca-bundle")).toEqual([expect.stringMatching(/^fail: caBundle lacks ca\.crt/)]);
  expect(report.of("arbiter")).toEqual([
    expect.stringMatching(/^fail: the arbiter konductor-a has been silent for 6\ds/),
  ]);
  await patch(CONFIGURATION, bundles(certificate, 1));
});

test("a changed webhook, a changed and a missing policy, a missing ConfigMap", async () => {
  await patch(CONFIGURATION, [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" }]);
  await patch("validatingadmissionpolicy/konductor-sizes", [
    { op: "replace", path: "/spec/validations/0/expression", value: "true" },
  ]);
  await kubectl("delete", "validatingadmissionpolicybinding", "konductor-pods");
  await kubectl("delete", SYSTEM, "configmap", "konductor-injection");
  const report = await doctor();
  expect(report.of("webhook")).toEqual([
    expect.stringContaining(
      "fail: MutatingWebhookConfiguration konductor (webhooks[pods.konductor.io].failurePolicy) differs",
    ),
  ]);
  expect(report.of("policies")).toEqual([
    expect.stringContaining(
      "fail: ValidatingAdmissionPolicy konductor-sizes (spec.validations[0].expression) differs",
    ),
  ]);
  expect(report.of("bindings")).toEqual([
    expect.stringContaining("fail: ValidatingAdmissionPolicyBinding konductor-pods is missing"),
  ]);
  expect(report.of("image")).toEqual([expect.stringMatching(/^fail: ConfigMap .* is missing/)]);
});

test("a konductor of another version differs without failing", async () => {
  await kubectl("set", "image", SYSTEM, "deployment/konductor", "konductor=konductor:9.9.9");
  const report = await doctor();
  expect(report.of("version")).toEqual([
    expect.stringMatching(/^warn: konductor is 9\.9\.9, and koncli \d+\.\d+\.\d+;/),
  ]);
  expect(report.of("webhook")).toEqual([
    expect.stringMatching(/^warn: .* differs .*; use the koncli of konductor's own version/),
  ]);
});

test("a user with few rights is told what is not known", async () => {
  await kubectl("create", "namespace", "shop");
  await waitFor({
    what: "the namespace's service account",
    withinMs: 20_000,
    holds: async () => (await kubectl("-n", "shop", "get", "serviceaccount", "default")) !== "",
  });
  await kubectl(
    "-n",
    "shop",
    "create",
    "rolebinding",
    "looks",
    "--clusterrole=konductor-view",
    "--serviceaccount=shop:default",
  );
  const token = (await kubectl("-n", "shop", "create", "token", "default")).trim();
  const path = await writeKubeconfig(kubectl, join(dir, "viewer"), { user: { token } });
  const report = await doctor("--kubeconfig", path, "-n", "shop");
  expect(report.of("namespace")).toEqual([
    expect.stringContaining("warn: konductor was not found; it is taken to run in konductor-system"),
  ]);
  for (const check of [
    "replicas",
    "arbiter",
    "webhook",
    "policies",
    "bindings",
    "image",
    "ca-bundle",
    "certificate",
    "exempt",
    "fencing",
    "admission",
  ])
    expect(report.of(check)).toEqual([expect.stringMatching(/^warn: .* not known: you may not /)]);
  expect(report.of("rights")).toEqual([
    expect.stringMatching(/^warn: you may see kleases in shop, but not create leases/),
  ]);
  expect(report.code).toBe(0);
  await kubectl("-n", "shop", "delete", "rolebinding", "looks");
  await waitFor({
    what: "the lost rights",
    withinMs: 20_000,
    holds: async () =>
      (await doctor("--kubeconfig", path, "-n", "shop"))
        .of("rights")[0]
        ?.startsWith("fail: you may not get leases") ?? false,
  });
});

test("a machine's clock that is wrong, in an exempt namespace, as lines of text", async () => {
  const clock = { ...systemClock(), nowMs: () => Date.now() - 3_600_000 };
  const args = [
    "doctor",
    "--kubeconfig",
    cluster.kubeconfigPath,
    "-n",
    "kube-system",
    "--konductor-namespace",
    "elsewhere",
  ];
  const { code, out, err } = await koncli(args, { clock });
  expect({ code, err }).toEqual({ code: 1, err: "" });
  expect(out).toMatch(/^warn {3}clock {9}this machine's clock is (59|60)m behind the API server's; set it/m);
  expect(out).toMatch(/^warn {3}exempt {8}in your namespace kube-system the label has no effect;/m);
  expect(out).toMatch(/^ok {5}namespace {5}konductor runs in elsewhere, as --konductor-namespace says$/m);
  expect(out).toMatch(/^fail {3}replicas {6}there is no Deployment elsewhere\/konductor;/m);
});
