import { isAbsolute } from "node:path";
import { checkElectionTimes, type ElectionTimes } from "../../kube/leader-election.ts";
import { formatDuration, parseDuration } from "../../lease/duration.ts";
import { isLeaseName } from "../../lease/naming.ts";
import {
  NO_OWN_RESOURCES,
  OWN_RESOURCES_RULE,
  type OwnResources,
  parseOwnResources,
} from "../../lease/own-resources.ts";
import type { LeaseName } from "../../metrics/state.ts";
import { SELF_FENCING_MODES, type SelfFencingMode } from "../../objects/features.ts";
import { describeError, hasCode, KonductorError } from "../../shared/errors.ts";
import { defined } from "../../shared/json.ts";
import { NODE_PATHS, type NodePath, SYSTEM_NAMESPACE } from "../../shared/names.ts";
import { PUBLISHED_FOR } from "../../tls/authorities.ts";
import type { Lives } from "../../tls/authority.ts";
import type { TracingConfig } from "../../tracing/tracing.ts";
import {
  DEFAULT_ARCHITECTURES,
  LOG_LEVELS,
  MOST_METRICS_LEASES,
  parseServeFlags,
  type ServeFlags,
} from "./flags.ts";
import { readTracing } from "./tracing-config.ts";

/** What `konductor serve` is told by flags and environment. */
export interface ServeConfig {
  /** Where konductor itself runs. */
  namespace: string;
  /** Names this replica in the election. */
  identity: string;
  electionTimes: ElectionTimes;
  /** The image of injected containers. */
  image: string;
  /** Path of Node in that image. */
  nodePath: NodePath;
  /** A file with the program of injected containers; undefined: the image has it. */
  gateProgram?: string;
  /** Architectures that the image was built for, as nodes name them. */
  imageArchitectures: string[];
  /** Pull Secrets for that image, by name, in the pod's namespace. */
  imagePullSecrets: string[];
  /** The user and group of injected containers; undefined: the image's, or the cluster's choice. */
  runAsUser: number | undefined;
  /** Requests and limits of gate and keeper that replace konductor's own. */
  resources: OwnResources;
  /** For how long CA and serving certificate are valid. */
  lives: Lives;
  /** A folder with a certificate that somebody else issues; undefined: konductor makes its own. */
  certDir?: string;
  bindAddress: string;
  securePort: number;
  healthPort: number;
  /** kleases with metrics of their own. */
  metricsLeases: LeaseName[];
  /** Where traces go; undefined: there are none. */
  tracing?: TracingConfig;
  selfFencing: SelfFencingMode;
  createMissingLeases: boolean;
  /** Whether konductor writes its CA into its webhook configuration; if not, somebody else must. */
  writeCaBundle: boolean;
  logLevel: string;
  /** undefined: the pod's own service account. */
  kubeconfig?: string;
  /** Where gates and keepers reach this server; undefined: the Service's ClusterIP. */
  gateUrl?: string;
  /** A file with the CA of the API server's client certificates; undefined: admission asks for none. */
  admissionClientCa?: string;
  /** Further addresses that the serving certificate names. */
  tlsAddresses: string[];
}

/** X.509 counts in seconds. */
const SHORTEST_LIFE_MS = 5_000;

const NAMESPACE = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Reads flags first, then the environment. Throws BadRequest with one sentence for the first thing that is wrong. */
export function readServeConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServeConfig {
  const values = parseServeFlags(args);
  const selfFencing = SELF_FENCING_MODES.find((mode) => mode === values["self-fencing"]);
  if (!selfFencing) throw wrong("self-fencing", values["self-fencing"], SELF_FENCING_MODES.join(", "));
  const nodePath = NODE_PATHS.find((path) => path === values["node-path"]);
  if (!nodePath) throw wrong("node-path", values["node-path"], NODE_PATHS.join(", "));
  const logLevel = LOG_LEVELS.find((level) => level === values["log-level"]);
  if (!logLevel) throw wrong("log-level", values["log-level"], LOG_LEVELS.join(", "));
  const image = values.image ?? env["KONDUCTOR_IMAGE"];
  if (!image)
    throw new KonductorError(
      "BadRequest",
      "set --image or KONDUCTOR_IMAGE to the image of injected containers",
    );
  const identity = values.identity ?? env["POD_NAME"];
  if (!identity)
    throw new KonductorError("BadRequest", "set --identity or POD_NAME to a name that no other replica has");
  return {
    namespace: values.namespace ?? env["POD_NAMESPACE"] ?? SYSTEM_NAMESPACE,
    identity,
    electionTimes: electionTimes(values),
    image,
    nodePath,
    imageArchitectures: values["image-architecture"] ?? DEFAULT_ARCHITECTURES,
    imagePullSecrets: values["image-pull-secret"] ?? [],
    runAsUser: runAsUser(values["run-as-user"]),
    resources: resources(values.resources),
    lives: lives(values),
    bindAddress: values["bind-address"],
    securePort: port("secure-port", values["secure-port"]),
    healthPort: port("health-port", values["health-port"]),
    metricsLeases: metricsLeases(values["metrics-lease"] ?? []),
    selfFencing,
    createMissingLeases: bool("create-missing-leases", values["create-missing-leases"]),
    writeCaBundle: bool("write-ca-bundle", values["write-ca-bundle"]),
    logLevel,
    tlsAddresses: values["tls-address"] ?? [],
    ...defined({
      tracing: readTracing(values["tracing-endpoint"], values["tracing-sampling"]),
      certDir: certDir(values["cert-dir"]),
      kubeconfig: values.kubeconfig,
      gateUrl: values["gate-url"],
      gateProgram: values["gate-program"],
      admissionClientCa: values["admission-client-ca"],
    }),
  };
}

function electionTimes(values: ServeFlags): ElectionTimes {
  try {
    const times = {
      leaseDurationMs: parseDuration(values["leader-elect-lease-duration"]),
      renewDeadlineMs: parseDuration(values["leader-elect-renew-deadline"]),
      retryPeriodMs: parseDuration(values["leader-elect-retry-period"]),
    };
    checkElectionTimes(times);
    return times;
  } catch (error) {
    throw new KonductorError("BadRequest", `--leader-elect-*: ${describeError(error)}`, { cause: error });
  }
}

/** A serving certificate has to be renewed several times while an authority signs. */
function lives(values: ServeFlags): Lives {
  const caMs = duration("ca-duration", values["ca-duration"]);
  const servingMs = duration("certificate-duration", values["certificate-duration"]);
  const mostMs = caMs * PUBLISHED_FOR;
  if (servingMs > mostMs)
    throw wrong(
      "certificate-duration",
      values["certificate-duration"],
      `at most ${formatDuration(Math.floor(mostMs))}, a sixth of --ca-duration`,
    );
  return { caMs, servingMs };
}

function certDir(value: string | undefined): string | undefined {
  if (value !== undefined && !isAbsolute(value))
    throw wrong("cert-dir", value, "the absolute path of a folder with tls.crt, tls.key and ca.crt");
  return value;
}

function duration(flag: string, value: string): number {
  try {
    const ms = parseDuration(value);
    if (ms >= SHORTEST_LIFE_MS) return ms;
  } catch (error) {
    if (!hasCode(error, "Invalid")) throw error;
  }
  throw wrong(flag, value, `a Go duration of at least ${formatDuration(SHORTEST_LIFE_MS)}`);
}

function port(flag: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65_535)
    throw wrong(flag, value, "a port from 0 to 65535");
  return number;
}

function metricsLeases(values: readonly string[]): LeaseName[] {
  if (values.length > MOST_METRICS_LEASES)
    throw new KonductorError(
      "BadRequest",
      `--metrics-lease: ${values.length} kleases are too many; name ${MOST_METRICS_LEASES} at most`,
    );
  return [...new Set(values)].map((value) => {
    const [namespace = "", name = "", ...more] = value.split("/");
    if (more.length > 0 || !NAMESPACE.test(namespace) || !isLeaseName(name))
      throw wrong("metrics-lease", value, "NAMESPACE/NAME of a klease");
    return { namespace, name };
  });
}

function runAsUser(value: string): number | undefined {
  if (value === "none") return undefined;
  const uid = /^\d{1,10}$/.test(value) ? Number(value) : 0;
  if (uid < 1 || uid > 2 ** 31 - 1)
    throw wrong("run-as-user", value, "none, or a number from 1 to 2147483647");
  return uid;
}

function resources(value: string | undefined): OwnResources {
  if (value === undefined) return NO_OWN_RESOURCES;
  const parsed = parseOwnResources(value);
  if (!parsed) throw wrong("resources", value, OWN_RESOURCES_RULE);
  return parsed;
}

function bool(flag: string, value: string): boolean {
  if (value !== "true" && value !== "false") throw wrong(flag, value, "true, false");
  return value === "true";
}

function wrong(flag: string, value: string, allowed: string): KonductorError {
  return new KonductorError("BadRequest", `--${flag}: "${value}" is not allowed; use ${allowed}`);
}
