/** A sound install as `koncli doctor` reads it, of which a test changes what it is about. */
import { X509Certificate } from "node:crypto";
import type { ApiObject, Install } from "../../../../src/cli/doctor/install.ts";
import { shippedObjects } from "../../../../src/cli/doctor/shipped.ts";
import type { Known } from "../../../../src/cli/known.ts";
import { list, record } from "../../../../src/shared/json.ts";
import { selfSigned } from "../../gate/certificates.ts";

export const known = <T>(value: T): Known<T> => ({ is: "known", value });
export const MISSING = { is: "missing" } as const;
export const unread = (what: string) => ({ is: "unread", why: `you may not ${what}` }) as const;

const base64 = (text: string) => Buffer.from(text).toString("base64");
export const CERTIFICATE = base64(selfSigned().cert);
/** An hour before its end, and a minute after its beginning. */
export const NOW_MS = Date.parse(new X509Certificate(Buffer.from(CERTIFICATE, "base64")).validTo) - 3_600_000;
export const OTHER_CERTIFICATE = base64(selfSigned().cert);

/** As the API server gives them back: with its defaults, and konductor's caBundle. */
export function live(kind: string, namespace = "konductor-system"): ApiObject[] {
  return shippedObjects(namespace, ["kube-system", namespace])
    .filter((each) => each.kind === kind)
    .map(({ object }) => ({
      ...object,
      ...(object["webhooks"] !== undefined && { webhooks: list(object["webhooks"]).map(withDefaults) }),
      ...(object["spec"] !== undefined && { spec: withMatchDefaults(record(object["spec"])) }),
    }));
}

function withDefaults(webhook: unknown): ApiObject {
  const given = record(webhook);
  return {
    ...{ reinvocationPolicy: "Never", namespaceSelector: {}, objectSelector: {}, ...given },
    clientConfig: { ...record(given["clientConfig"]), caBundle: CERTIFICATE },
  };
}

function withMatchDefaults(spec: ApiObject): ApiObject {
  if (spec["matchConstraints"] === undefined) return spec;
  const defaults = { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} };
  return { ...spec, matchConstraints: { ...defaults, ...record(spec["matchConstraints"]) } };
}

export function crd(name: string, change: { versions?: object[]; status?: object } = {}) {
  const versions = change.versions ?? [{ name: "v1", served: true, storage: true }];
  const status = {
    conditions: [{ type: "Established", status: "True" }],
    storedVersions: ["v1"],
    ...change.status,
  };
  return { name, object: known<ApiObject>({ spec: { versions }, status }) };
}

export function deployment(
  change: { spec?: object; status?: object; image?: string; injected?: string; args?: string[] } = {},
): ApiObject {
  const { image = "registry.example:5000/konductor:0.1.0", injected = image, args = [] } = change;
  const env = [{ name: "KONDUCTOR_IMAGE", value: injected }];
  const container = { name: "konductor", image, env, args };
  return {
    spec: { replicas: 2, template: { spec: { containers: [container] } }, ...change.spec },
    status: { readyReplicas: 2, ...change.status },
  };
}

export const node = (
  name: string,
  declaredFeatures: string[] = ["RestartAllContainersOnContainerExits"],
  change: object = {},
) => ({
  ...{ name, uid: name, resourceVersion: "", ready: true, schedulable: true, outOfService: false },
  ...{ declaredFeatures, labels: {}, taints: [], ...change },
});

export const electedAgo = (ms: number): ApiObject => ({
  spec: {
    holderIdentity: "konductor-a",
    leaseDurationSeconds: 6,
    renewTime: new Date(NOW_MS - ms).toISOString(),
  },
});

export function theInstall(change: Partial<Install> = {}): Install {
  const [webhook] = live("MutatingWebhookConfiguration");
  return {
    ...{ namespace: "konductor-system", foundBy: "webhook", userNamespace: "shop", koncliVersion: "0.1.0" },
    server: { major: 1, minor: 37, gitVersion: "v1.37.2" },
    servedVersions: ["v1"],
    crds: [crd("leases.konductor.io"), crd("leaserequests.konductor.io")],
    webhook: known(webhook ?? {}),
    policies: known(live("ValidatingAdmissionPolicy")),
    bindings: known(live("ValidatingAdmissionPolicyBinding")),
    injection: known({ data: { image: "registry.example:5000/konductor:0.0.9" } }),
    secretName: "konductor-tls",
    secret: known({ data: { "ca.crt": CERTIFICATE, "tls.crt": CERTIFICATE } }),
    deployment: known(deployment()),
    arbiter: known(electedAgo(1_000)),
    nodes: known([node("a"), node("b")]),
    trial: { is: "accepted" },
    rights: [
      { verb: "get", resource: "leases", role: "konductor-view", isAllowed: true },
      { verb: "create", resource: "leaserequests", role: "konductor-user", isAllowed: true },
      { verb: "force", resource: "leaserequests", role: "konductor-admin", isAllowed: true },
    ],
    clocks: { serverMs: NOW_MS, machineMs: NOW_MS + 20, unsureMs: 30 },
    ...change,
  };
}
