import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { certificateSecret } from "../../../../src/cli/doctor/deployment.ts";
import { diagnose } from "../../../../src/cli/doctor/diagnose.ts";
import type { ApiObject, Install } from "../../../../src/cli/doctor/install.ts";
import { list, record } from "../../../../src/shared/json.ts";
import { shippedObjects } from "../../../../tools/manifests/shipped.ts";
import {
  CERTIFICATE,
  crd,
  deployment,
  electedAgo,
  known,
  live,
  MISSING,
  NOW_MS,
  node,
  OTHER_CERTIFICATE,
  theInstall,
  unread,
} from "./install.ts";

const ROOT = join(import.meta.dirname, "../../../..");

test("koncli knows the objects of deploy/install.yaml: else run `make manifests`", async () => {
  const install = await readFile(join(ROOT, "deploy/install.yaml"), "utf8");
  const kept = await readFile(join(ROOT, "src/cli/doctor/shipped.json"), "utf8");
  expect(kept).toBe(shippedObjects(install));
  expect(list(JSON.parse(kept)).map((each) => record(each)["kind"])).toContain(
    "ValidatingAdmissionPolicyBinding",
  );
});

test("of a sound install every line is ok", () => {
  const findings = diagnose(theInstall());
  expect(findings.filter(({ level }) => level !== "ok")).toEqual([]);
  expect(new Set(findings.map(({ check }) => check)).size).toBeGreaterThan(15);
});

test("an install in another namespace, with namespaces of its own that it leaves alone, is sound as well", () => {
  const namespace = "locks";
  const exempt = ["kube-system", namespace, "argocd"];
  const exempting = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(`["kube-system","${namespace}"]`, JSON.stringify(exempt)));
  const all = (kind: string) => live(kind, namespace).map((each) => record(exempting(each)));
  const [webhook = {}] = all("MutatingWebhookConfiguration");
  const install = theInstall({
    ...{ namespace, webhook: known(webhook), policies: known(all("ValidatingAdmissionPolicy")) },
    bindings: known(all("ValidatingAdmissionPolicyBinding")),
  });
  expect(diagnose(install).filter(({ level }) => level !== "ok")).toEqual([]);
  expect(diagnose(install)).toContainEqual(
    expect.objectContaining({
      check: "exempt",
      message: "the label has no effect in kube-system, locks and argocd",
    }),
  );
  expect(diagnose({ ...install, userNamespace: "argocd" })).toContainEqual(
    expect.objectContaining({ check: "exempt", level: "warn" }),
  );
});

/** The webhook configuration with the first webhook changed. */
function webhookWith(change: (webhook: ApiObject) => ApiObject): ApiObject {
  const [configuration = {}] = live("MutatingWebhookConfiguration");
  const [first, ...others] = list(configuration["webhooks"]).map(record);
  return { ...configuration, webhooks: [change(first ?? {}), ...others] };
}
const withClient = (change: object) =>
  webhookWith((webhook) => ({ ...webhook, clientConfig: { ...record(webhook["clientConfig"]), ...change } }));
const withoutSecret = { secret: unread("get secrets in konductor-system") };
const clocks = (machineMs: number, serverMs = NOW_MS) => ({ clocks: { machineMs, serverMs, unsureMs: 30 } });
const without = (kind: string, name: string) =>
  live(kind).filter((each) => record(each["metadata"])["name"] !== name);
const weakened = live("ValidatingAdmissionPolicy").map((policy) => ({
  ...policy,
  spec: {
    ...record(policy["spec"]),
    failurePolicy: record(policy["metadata"])["name"] === "konductor-pods" ? "Ignore" : "Fail",
  },
}));
const lacking = (role: string) =>
  theInstall().rights.map((each) => (each.role === role ? { ...each, isAllowed: false } : each));

test.each<[string, Partial<Install>, string, string, RegExp]>([
  [
    "an old cluster",
    { server: { major: 1, minor: 32, gitVersion: "v1.32.0" } },
    "kubernetes",
    "fail",
    /v1\.32\.0; konductor needs 1\.33 or newer/,
  ],
  [
    "a cluster that cannot fence",
    { server: { major: 1, minor: 35, gitVersion: "v1.35.0" } },
    "kubernetes",
    "warn",
    /cannot fence/,
  ],
  ["konductor nowhere to be found", { foundBy: "default" }, "namespace", "warn", /--konductor-namespace/],
  ["no CRDs", { servedVersions: [] }, "crds", "fail", /does not serve konductor\.io\/v1; install konductor/],
  [
    "one CRD less",
    { crds: [crd("leases.konductor.io"), { name: "leaserequests.konductor.io", object: MISSING }] },
    "crds",
    "fail",
    /leaserequests\.konductor\.io is missing/,
  ],
  [
    "a CRD that stores another version",
    { crds: [crd("leases.konductor.io", { versions: [{ name: "v1", served: true, storage: false }] })] },
    "crds",
    "fail",
    /not served and stored as v1/,
  ],
  [
    "a CRD whose names collide",
    {
      crds: [
        crd("leases.konductor.io", { status: { conditions: [{ type: "Established", status: "False" }] } }),
      ],
    },
    "crds",
    "fail",
    /not served and stored/,
  ],
  [
    "an earlier stored version",
    { crds: [crd("leases.konductor.io", { status: { storedVersions: ["v1beta1", "v1"] } })] },
    "crds",
    "warn",
    /stored as v1beta1, too/,
  ],
  [
    "no right to see CRDs",
    { crds: [{ name: "leases.konductor.io", object: unread("get customresourcedefinitions") }] },
    "crds",
    "warn",
    /konductor\.io\/v1 is served; .* not known: you may not get customresourcedefinitions/,
  ],
  ["no Deployment", { deployment: MISSING }, "replicas", "fail", /no Deployment konductor-system\/konductor/],
  [
    "no replica",
    { deployment: known(deployment({ status: { readyReplicas: undefined } })) },
    "replicas",
    "fail",
    /^0 of 2 replicas are ready, so labelled workloads are refused/,
  ],
  [
    "one replica of two",
    { deployment: known(deployment({ status: { readyReplicas: 1 } })) },
    "replicas",
    "warn",
    /^1 of 2/,
  ],
  [
    "a single replica",
    { deployment: known(deployment({ spec: { replicas: 1 }, status: { readyReplicas: 1 } })) },
    "replicas",
    "warn",
    /run two replicas/,
  ],
  [
    "another version",
    { koncliVersion: "0.2.0" },
    "version",
    "warn",
    /konductor is 0\.1\.0, and koncli 0\.2\.0; use the same version/,
  ],
  [
    "a digest",
    { deployment: known(deployment({ image: "konductor@sha256:00" })) },
    "version",
    "warn",
    /tells its version/,
  ],
  ["no arbiter", { arbiter: MISSING }, "arbiter", "fail", /no replica is the arbiter: nothing is granted/],
  [
    "an arbiter that has left",
    { arbiter: known({ spec: { holderIdentity: "", renewTime: "2026-01-01T00:00:00Z" } }) },
    "arbiter",
    "fail",
    /no replica is the arbiter/,
  ],
  [
    "a silent arbiter",
    { arbiter: known(electedAgo(60_000)) },
    "arbiter",
    "fail",
    /konductor-a has been silent for 60s/,
  ],
  [
    "an arbiter ahead of its time",
    { arbiter: known(electedAgo(-60_000)) },
    "arbiter",
    "warn",
    /is 60s ahead of the API server's/,
  ],
  [
    "no webhook",
    { webhook: MISSING },
    "webhook",
    "fail",
    /MutatingWebhookConfiguration konductor is missing; apply deploy/,
  ],
  [
    "a webhook that lets pass",
    { webhook: known(webhookWith((each) => ({ ...each, failurePolicy: "Ignore" }))) },
    "webhook",
    "fail",
    /^MutatingWebhookConfiguration konductor \(webhooks\[pods\.konductor\.io\]\.failurePolicy\) differs from what version 0\.1\.0 ships/,
  ],
  [
    "a webhook that sees less",
    { webhook: known(webhookWith((each) => ({ ...each, objectSelector: { matchLabels: { a: "b" } } }))) },
    "webhook",
    "fail",
    /objectSelector/,
  ],
  [
    "a webhook that sees other namespaces",
    { webhook: known(webhookWith((each) => ({ ...each, namespaceSelector: {} }))) },
    "webhook",
    "fail",
    /namespaceSelector/,
  ],
  [
    "a webhook less",
    {
      webhook: known({
        webhooks: list(live("MutatingWebhookConfiguration")[0]?.["webhooks"]).slice(1),
        metadata: { name: "konductor" },
      }),
    },
    "webhook",
    "fail",
    /\(webhooks\) differs/,
  ],
  [
    "a changed webhook of another version",
    { koncliVersion: "0.2.0", webhook: known(webhookWith((each) => ({ ...each, timeoutSeconds: 1 }))) },
    "webhook",
    "warn",
    /timeoutSeconds\) differs from what version 0\.2\.0 ships; use the koncli of konductor's own version/,
  ],
  [
    "a policy less",
    { policies: known(without("ValidatingAdmissionPolicy", "konductor-sizes")) },
    "policies",
    "fail",
    /konductor-sizes is missing/,
  ],
  [
    "a policy that lets pass",
    { policies: known(weakened) },
    "policies",
    "fail",
    /konductor-pods \(spec\.failurePolicy\) differs/,
  ],
  [
    "a binding less",
    { bindings: known(without("ValidatingAdmissionPolicyBinding", "konductor-pods")) },
    "bindings",
    "fail",
    /konductor-pods is missing/,
  ],
  [
    "no right to see policies",
    { policies: unread("list validatingadmissionpolicies") },
    "policies",
    "warn",
    /not known: you may not list validatingadmissionpolicies/,
  ],
  ["no image for the policy", { injection: MISSING }, "image", "fail", /so every labelled pod is refused/],
  [
    "another image than the policy's",
    { injection: known({ data: { image: "konductor:0.1.0" } }) },
    "image",
    "fail",
    /run registry\.example:5000\/konductor:0\.1\.0, but the policy allows konductor;/,
  ],
  [
    "no caBundle",
    { webhook: known(withClient({ caBundle: undefined })) },
    "ca-bundle",
    "fail",
    /a webhook has no caBundle/,
  ],
  [
    "another caBundle",
    { webhook: known(withClient({ caBundle: OTHER_CERTIFICATE })) },
    "ca-bundle",
    "fail",
    /caBundle lacks ca\.crt of Secret konductor-tls/,
  ],
  [
    "no Secret",
    { secret: MISSING },
    "ca-bundle",
    "fail",
    /Secret konductor-system\/konductor-tls is missing/,
  ],
  ["no right to see the Secret", withoutSecret, "ca-bundle", "ok", /trusts what answers its webhook call/],
  [
    "no right to see the Secret, and no answer",
    { ...withoutSecret, trial: { is: "refused", message: "x509" } },
    "ca-bundle",
    "warn",
    /could not be compared: you may not get secrets in konductor-system/,
  ],
  [
    "a certificate that is over",
    clocks(NOW_MS + 7_200_000, NOW_MS + 7_200_000),
    "certificate",
    "fail",
    /the serving certificate ended 60m ago/,
  ],
  [
    "a certificate that was not renewed",
    clocks(NOW_MS + 3_500_000, NOW_MS + 3_500_000),
    "certificate",
    "warn",
    /ends in \d+s, and was not renewed in time/,
  ],
  [
    "a damaged certificate",
    { secret: known({ data: { "ca.crt": CERTIFICATE } }), webhook: known(withClient({ caBundle: "x" })) },
    "certificate",
    "fail",
    /there is no certificate/,
  ],
  [
    "no right to see the certificate",
    withoutSecret,
    "certificate",
    "ok",
    /the CA lasts 60m more; the serving certificate is not known/,
  ],
  [
    "a request that is refused",
    { trial: { is: "refused", message: "failed calling webhook: x509" } },
    "admission",
    "fail",
    /refused: failed calling webhook: x509; konductor's pods must run/,
  ],
  [
    "no right to ask",
    { trial: unread("create leaserequests in shop") },
    "admission",
    "warn",
    /not known: you may not create leaserequests in shop/,
  ],
  [
    "no right to look",
    { rights: lacking("konductor-view") },
    "rights",
    "fail",
    /^you may not get leases in shop; ask for ClusterRole konductor-user in shop/,
  ],
  [
    "no right to acquire",
    { rights: lacking("konductor-user") },
    "rights",
    "warn",
    /but not create leaserequests/,
  ],
  [
    "no right to force",
    { rights: lacking("konductor-admin") },
    "rights",
    "ok",
    /but not take them from others/,
  ],
  [
    "nodes that cannot fence",
    {
      nodes: known([
        node("a"),
        node("b", []),
        node("windows", [], { labels: { "kubernetes.io/os": "windows" } }),
        node("drained", [], { schedulable: false }),
      ]),
    },
    "fencing",
    "warn",
    /^1 of 2 schedulable Linux nodes cannot fence: b; /,
  ],
  [
    "fencing switched off",
    { deployment: known(deployment({ args: ["--self-fencing=never"] })) },
    "fencing",
    "warn",
    /--self-fencing=never/,
  ],
  ["no nodes", { nodes: known([]) }, "fencing", "warn", /no Linux node is schedulable/],
  ["a clock behind", clocks(NOW_MS - 60_000), "clock", "warn", /60s behind the API server's/],
  ["a clock ahead", clocks(NOW_MS + 60_000), "clock", "warn", /60s ahead of the API server's/],
])("%s", (_, change, check, level, expected) => {
  const install = theInstall(change);
  const finding = diagnose(install).find((each) => each.check === check && each.level === level);
  expect(`${finding?.message}; ${finding?.todo ?? ""}`).toMatch(expected);
});

test("a caBundle that trusts other certificates as well is sound", () => {
  const pem = (each: string) => Buffer.from(each, "base64").toString();
  const both = Buffer.from(`${pem(OTHER_CERTIFICATE)}${pem(CERTIFICATE)}`).toString("base64");
  const bundle = (install: Partial<Install>) =>
    diagnose(theInstall(install)).find(({ check }) => check === "ca-bundle")?.level;
  expect(bundle({ webhook: known(withClient({ caBundle: both })) })).toBe("ok");
  expect(bundle({ secret: known({ data: { "ca.crt": both } }) })).toBe("fail");
});

test("the certificate is looked for in the Secret that is mounted where --cert-dir says", () => {
  const mounted = (args: string[]) => {
    const { spec } = deployment({ args });
    const podSpec = record(record(record(spec)["template"])["spec"]);
    const [container] = list(podSpec["containers"]).map(record);
    const volumeMounts = [
      { name: "other", mountPath: "/other" },
      { name: "certs", mountPath: "/certs" },
    ];
    const volumes = [{ name: "certs", secret: { secretName: "mine" } }];
    return { spec: { template: { spec: { volumes, containers: [{ ...container, volumeMounts }] } } } };
  };
  expect(certificateSecret(mounted(["--cert-dir=/certs"]))).toBe("mine");
  expect(certificateSecret(mounted([]))).toBe("konductor-tls");
  expect(certificateSecret(undefined)).toBe("konductor-tls");
});
