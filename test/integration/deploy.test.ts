/** `kubectl apply -k deploy` on a real API server, while konductor itself does not run: there is no node. */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { API_VERSION, LEASE_LABEL, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { packageVersion } from "../../tools/build.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const SYSTEM = `--namespace=${SYSTEM_NAMESPACE}`;
const CONFIGURATION = "mutatingwebhookconfiguration/konductor";
const ACCOUNT = `system:serviceaccount:${SYSTEM_NAMESPACE}:konductor`;

let cluster: Cluster;
let kubectl: Kubectl;

beforeAll(async () => {
  const { env } = inject("cluster");
  cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} } });
  kubectl = kubectlOf(cluster);
  await kubectl("apply", "-k", DEPLOY);
});
afterAll(() => cluster?.stop());

test("konductor's pods pass the namespace's PodSecurity level", async () => {
  await waitFor({
    what: "the ReplicaSet to create both pods",
    withinMs: 20_000,
    holds: async () =>
      (await kubectl("get", "pods", SYSTEM, "--output=name")).trim().split("\n").length === 2,
  });
});

test("kustomize tags the image, also the image that is injected and that the policy allows in labelled pods", async () => {
  const container = "{.spec.template.spec.containers[0]";
  const output = `--output=jsonpath=${container}.image} ${container}.env[?(@.name=="KONDUCTOR_IMAGE")].value}`;
  const image = `konductor:${await packageVersion(join(DEPLOY, ".."))}`;
  expect(await kubectl("get", "deployment/konductor", SYSTEM, output)).toBe(`${image} ${image}`);
  const allowed = ["get", "configmap/konductor-injection", SYSTEM, "--output=jsonpath={.data.image}"];
  expect(await kubectl(...allowed)).toBe(image);
});

test("a second apply changes nothing, and leaves the CA bundle alone", async () => {
  const certificate = await readFile(join(cluster.dir, "pki/ca.crt"), "base64");
  const path = "/webhooks/0/clientConfig/caBundle";
  const change = JSON.stringify([{ op: "add", path, value: certificate }]);
  await kubectl("patch", CONFIGURATION, "--type=json", `--patch=${change}`);
  const answers = (await kubectl("apply", "-k", DEPLOY)).trim().split("\n");
  // kubectl always sends a PodDisruptionBudget's selector, because its patch strategy is `replace`.
  expect(answers.filter((line) => !line.endsWith(" unchanged"))).toEqual([
    "poddisruptionbudget.policy/konductor configured",
  ]);
  const bundle = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
  expect(await kubectl("get", CONFIGURATION, bundle)).toBe(certificate);
});

describe("while konductor is down", () => {
  const pod = (name: string, labels: object, namespace = "default") => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: "main", image: "none" }] },
  });
  const labelled = { [LEASE_LABEL]: "report" };

  test("unlabelled pods are unaffected", async () => {
    await kubectl.withObject(pod("free", {}), "create");
  });
  test("labelled pods are refused", async () => {
    await expect(kubectl.withObject(pod("taken", labelled), "create")).rejects.toThrow("pods.konductor.io");
  });
  test("kube-system works", async () => {
    await kubectl.withObject(pod("system", labelled, "kube-system"), "create");
  });
  test("labelled Deployments, which only ever get a warning, are accepted", async () => {
    await kubectl.withObject(
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web", namespace: "default", labels: labelled },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web" } },
            spec: { containers: [{ name: "main", image: "none" }] },
          },
        },
      },
      "create",
    );
  });
});

describe("while konductor is down, among its own objects", () => {
  const objectOf = (kind: string, name: string, spec: object) => ({
    apiVersion: API_VERSION,
    kind,
    metadata: { name, namespace: "default" },
    spec,
  });
  const request = (name: string, spec: object = {}) =>
    objectOf("LeaseRequest", name, { lease: "report", holder: "ci", ...spec });
  const patch = (what: string, change: object, ...args: string[]) =>
    kubectl("patch", what, "--type=merge", `--patch=${JSON.stringify(change)}`, ...args);
  const AS_ACCOUNT = `--as=${ACCOUNT}`;

  test("requests of clients are refused, and konductor's are accepted", async () => {
    await expect(kubectl.withObject(request("client"), "create")).rejects.toThrow("requests.konductor.io");
    const spec = { holderRef: { kind: "Pod", name: "a", uid: "u" }, requestedBy: ACCOUNT };
    await kubectl.withObject(request("pod", spec), "create", AS_ACCOUNT);
  });
  test("a request can be deleted but not renewed, and the garbage collector can change it", async () => {
    await kubectl.withObject(request("kept", { requestedBy: "alice" }), "create", AS_ACCOUNT);
    await kubectl("create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice");
    const renewal = { spec: { renewTime: "2026-01-01T00:00:00.000000Z" } };
    await expect(patch("klr/kept", renewal, "--as=alice")).rejects.toThrow("requests.konductor.io");
    const collector = "--as=system:serviceaccount:kube-system:generic-garbage-collector";
    const finalizers = ["konductor.io/test"];
    await patch("klr/kept", { metadata: { finalizers } }, collector);
    await patch("klr/kept", { metadata: { finalizers: null } }, collector);
    await kubectl("delete", "klr/kept", "--as=alice");
  });
  test("Leases can be created, changed and deleted, but not released by force", async () => {
    const manifest = objectOf("Lease", "report", { ttl: "1m" });
    await kubectl.withObject(manifest, "apply");
    await patch("klease/report", { spec: { ttl: "2m" } });
    await patch("klease/report", { metadata: { annotations: { "example.org/note": "mine" } } });
    const held = { phase: "Expired", holder: "a", fencingToken: 1 };
    await patch("klease/report", { status: held }, "--subresource=status");
    await kubectl.withObject(manifest, "replace");
    const ttl = ["get", "klease/report", "--output=jsonpath={.spec.ttl} {.status.holder}"];
    expect(await kubectl(...ttl)).toBe("1m a");
    const free = { status: { phase: "Available", holder: "" } };
    await expect(patch("klease/report", free)).rejects.toThrow("leases.konductor.io");
    await kubectl("delete", "klease/report");
  });
});

describe("konductor's account", () => {
  const may = (verb: string, resource: string, ...args: string[]) =>
    kubectl("auth", "can-i", verb, resource, `--as=${ACCOUNT}`, ...args).then(
      () => true,
      () => false,
    );

  test.each([
    ["update", "leases.konductor.io", ["--subresource=status", "--all-namespaces"]],
    ["delete", "leaserequests.konductor.io", ["--all-namespaces"]],
    ["delete", "pods", ["--all-namespaces"]],
    ["create", "tokenreviews.authentication.k8s.io", []],
    ["patch", "mutatingwebhookconfigurations/konductor", []],
    ["update", "secrets/konductor-tls", [SYSTEM]],
    ["update", "leases.coordination.k8s.io/konductor-arbiter", [SYSTEM]],
    ["get", "services/konductor", [SYSTEM]],
  ])("may %s %s", async (verb, resource, args) => {
    expect(await may(verb, resource, ...args)).toBe(true);
  });

  test.each([
    ["delete", "leases.konductor.io", ["--all-namespaces"]],
    ["create", "pods", ["--all-namespaces"]],
    ["update", "pods", ["--all-namespaces"]],
    ["get", "secrets", [SYSTEM]],
    ["get", "secrets/konductor-tls", ["--namespace=default"]],
    ["patch", "mutatingwebhookconfigurations/other", []],
    ["update", "leases.coordination.k8s.io/other", [SYSTEM]],
  ])("may not %s %s", async (verb, resource, args) => {
    expect(await may(verb, resource, ...args)).toBe(false);
  });

  test("is kept out of the priority level workload-low", async () => {
    const token = (await kubectl("create", "token", "konductor", SYSTEM)).trim();
    const level = ["get", "prioritylevelconfiguration/workload-high", "--output=jsonpath={.metadata.uid}"];
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = `${cluster.apiServerUrl}/apis/authentication.k8s.io/v1/tokenreviews`;
      const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
      const call = request(url, { method: "POST", headers, rejectUnauthorized: false }, resolve);
      call.on("error", reject);
      call.end('{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"any"}}');
    });
    answer.resume();
    expect(answer.statusCode).toBe(201);
    expect(answer.headers["x-kubernetes-pf-prioritylevel-uid"]).toBe(await kubectl(...level));
  });
});
