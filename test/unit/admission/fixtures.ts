import { NO_OWN_RESOURCES } from "../../../src/lease/own-resources.ts";
import type { AdmissionContext } from "../../../src/server/admission/admission-context.ts";
import type { Injection } from "../../../src/server/admission/containers.ts";
import { injectPod } from "../../../src/server/admission/inject.ts";
import type {
  Container,
  CronJob,
  Metadata,
  PodSpec,
  PodTemplate,
  TemplateOwner,
} from "../../../src/server/admission/objects.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import type { AdmissionRequest } from "../../../src/server/admission/review.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { accountName } from "../../../src/shared/names.ts";

export const NAMESPACE = "team-a";
/** A pod without an owner. */
export const ALONE = { path: "", job: undefined };

export const NOW_MS = Date.parse("2026-03-01T12:00:00.250Z");

export const INJECTION: Injection = {
  image: "konductor:0.1.0",
  nodePath: "/usr/bin/node",
  program: undefined,
  imagePullSecrets: [],
  runAsUser: 65_532,
  resources: NO_OWN_RESOURCES,
  url: "https://10.96.0.7:443",
  host: "konductor.konductor-system.svc",
  ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
  version: "0.1.0",
};

/** A cluster that can fence and in which the klease `nightly` has a ttl of 10 minutes. */
export function contextWith(
  overrides: Partial<AdmissionContext> = {},
  leases: Record<string, number> = { nightly: 600_000 },
) {
  const context: AdmissionContext = {
    features: () => ({ canFence: () => true }),
    leases: {
      get: (namespace, name) => {
        const ttlMs = namespace === NAMESPACE ? leases[name] : undefined;
        return ttlMs === undefined ? undefined : { ttlMs };
      },
    },
    injection: () => INJECTION,
    limitRanges: { in: () => [] },
    imageArchitectures: ["amd64", "arm64"],
    notices: [],
    account: accountName("konductor-system"),
    systemNamespaces: ["kube-system", "konductor-system"],
    createMissingLeases: true,
    clock: { ...systemClock(), nowMs: () => NOW_MS },
    logger: createLogger({ level: "silent" }),
    ...overrides,
  };
  return context;
}

export const MAIN: Container = { name: "main", image: "busybox", command: ["sleep", "1"] };

/** Metadata with the label; annotations are named without their prefix. */
export function marked(annotations: Record<string, string> = {}, lease = "nightly"): Metadata {
  const entries = Object.entries(annotations).map(([name, value]) => [`konductor.io/${name}`, value]);
  return {
    labels: { "konductor.io/lease": lease },
    ...(entries.length > 0 && { annotations: Object.fromEntries(entries) }),
  };
}

export function podWith(spec: Partial<PodSpec> = {}, metadata: Metadata = marked()): PodTemplate {
  return { metadata, spec: { containers: [MAIN], ...spec } };
}

export const sidecar = (name: string): Container => ({ name, restartPolicy: "Always" });
export const init = (name: string): Container => ({ name });

/** The pod as admission changes it. */
export function inject(pod: PodTemplate, context = contextWith(), injection = INJECTION): PodTemplate {
  return injectPod(pod, planPod(pod, NAMESPACE, context, ALONE), injection);
}

/** A Job, or another owner of pods. */
export function ownerWith(
  metadata: Metadata,
  template: Metadata = {},
  spec: Partial<TemplateOwner["spec"]> = {},
): TemplateOwner {
  return { metadata, spec: { template: podWith({}, template), ...spec } };
}

export function cronJobWith(
  metadata: Metadata,
  template: Metadata = {},
  spec: Partial<TemplateOwner["spec"]> = {},
): CronJob {
  return { metadata, spec: { schedule: "* * * * *", jobTemplate: ownerWith({}, template, spec) } };
}

/** What the API server asks when alice creates a pod. */
export function requestWith(request: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: "u1",
    kind: "/Pod",
    subResource: "",
    operation: "CREATE",
    namespace: NAMESPACE,
    username: "alice",
    isDryRun: false,
    object: podWith(),
    oldObject: undefined,
    ...request,
  };
}

const ISTIO_ARGS = { init: ["istio-iptables", "-p", "15001"], proxy: ["proxy", "sidecar", "--domain", "x"] };

/** What Istio's injector adds to a pod, before further init containers, where the proxy is a native sidecar. */
export const ISTIO = {
  annotations: {
    "sidecar.istio.io/status":
      '{"initContainers":["istio-init","istio-proxy"],"containers":null,"revision":"default"}',
  },
  init: { name: "istio-init", args: ISTIO_ARGS.init } satisfies Container,
  proxy: { name: "istio-proxy", args: ISTIO_ARGS.proxy, restartPolicy: "Always" } satisfies Container,
};

/** `metadata` with what Istio's injector adds. */
export function inIstio(metadata: Metadata = marked()): Metadata {
  return { ...metadata, annotations: { ...metadata.annotations, ...ISTIO.annotations } };
}
