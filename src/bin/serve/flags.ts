/** The flags of `konductor serve`, and their help. config.ts says which values are allowed. */
import { parseArgs } from "node:util";
import { ELECTION_TIMES } from "../../kube/leader-election.ts";
import { formatDuration } from "../../lease/duration.ts";
import { SELF_FENCING_MODES } from "../../objects/features.ts";
import { describeError, KonductorError } from "../../shared/errors.ts";
import { NODE_PATHS, SERVICE_NAME, SYSTEM_NAMESPACE, WEBHOOK_CONFIGURATION } from "../../shared/names.ts";
import { LIVES } from "../../tls/authority.ts";

/** Each has four series of its own, and its queue is counted at every scrape. */
export const MOST_METRICS_LEASES = 50;
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

const DEFAULT = {
  leaseDuration: formatDuration(ELECTION_TIMES.leaseDurationMs),
  renewDeadline: formatDuration(ELECTION_TIMES.renewDeadlineMs),
  retryPeriod: formatDuration(ELECTION_TIMES.retryPeriodMs),
} as const;

/** The user of the image that `make image` builds. */
const DEFAULT_USER = 65_532;
/** The architectures that `make image` builds for. */
export const DEFAULT_ARCHITECTURES = ["amd64", "arm64"];

const OPTIONS = {
  namespace: { type: "string" },
  identity: { type: "string" },
  "leader-elect-lease-duration": { type: "string", default: DEFAULT.leaseDuration },
  "leader-elect-renew-deadline": { type: "string", default: DEFAULT.renewDeadline },
  "leader-elect-retry-period": { type: "string", default: DEFAULT.retryPeriod },
  image: { type: "string" },
  "image-architecture": { type: "string", multiple: true },
  "image-pull-secret": { type: "string", multiple: true },
  "run-as-user": { type: "string", default: String(DEFAULT_USER) },
  resources: { type: "string" },
  "node-path": { type: "string", default: NODE_PATHS[0] },
  "gate-program": { type: "string" },
  "ca-duration": { type: "string", default: formatDuration(LIVES.caMs) },
  "certificate-duration": { type: "string", default: formatDuration(LIVES.servingMs) },
  "cert-dir": { type: "string" },
  "bind-address": { type: "string", default: "0.0.0.0" },
  "secure-port": { type: "string", default: "8443" },
  "health-port": { type: "string", default: "8080" },
  "metrics-lease": { type: "string", multiple: true },
  "tracing-endpoint": { type: "string" },
  "tracing-sampling": { type: "string", default: "1" },
  "self-fencing": { type: "string", default: "auto" },
  "create-missing-leases": { type: "string", default: "true" },
  "write-ca-bundle": { type: "string", default: "true" },
  "log-level": { type: "string", default: "info" },
  kubeconfig: { type: "string" },
  "gate-url": { type: "string" },
  "admission-client-ca": { type: "string" },
  "tls-address": { type: "string", multiple: true },
} as const;

export const SERVE_HELP = `Usage: konductor serve [flags]

Serves admission and the gate API, and arbitrates when elected.

  --namespace NAME               where konductor runs (default: $POD_NAMESPACE, else ${SYSTEM_NAMESPACE})
  --identity NAME                this replica's name in the election (default: $POD_NAME)
  --leader-elect-lease-duration DURATION
                                 after which a silent arbiter is replaced, whole seconds (default: ${DEFAULT.leaseDuration})
  --leader-elect-renew-deadline DURATION
                                 after which an arbiter that cannot renew stops (default: ${DEFAULT.renewDeadline})
  --leader-elect-retry-period DURATION
                                 between two tries (default: ${DEFAULT.retryPeriod})
  --image IMAGE                  the image of injected containers (default: $KONDUCTOR_IMAGE)
  --image-architecture NAME      for which processors that image was built; may be repeated (default: ${DEFAULT_ARCHITECTURES.join(", ")})
  --image-pull-secret NAME       a Secret in the namespace of labelled pods, by which that image is pulled; may be repeated
  --run-as-user UID              user and group of injected containers; none: the image's, or what the cluster sets (default: ${DEFAULT_USER})
  --resources LIST               requests and limits of injected containers, such as requests.cpu=50m,limits.memory=256Mi
  --node-path PATH               where that image has Node: ${NODE_PATHS.join(", ")} (default: ${NODE_PATHS[0]})
  --gate-program FILE            what injected containers run, where that image has Node alone; base64 of dist/gate.js, compressed by brotli
  --ca-duration DURATION         for how long a CA is valid; the next one is trusted after two thirds of it, and signs after five sixths
                                 (default: ${formatDuration(LIVES.caMs)})
  --certificate-duration DURATION
                                 for how long a serving certificate is valid, which is renewed after two thirds of it (default: ${formatDuration(LIVES.servingMs)})
  --cert-dir DIR                 serve tls.crt and tls.key of this folder, and have the CAs of its ca.crt trusted (default: konductor's own CA)
  --bind-address ADDRESS         (default: 0.0.0.0)
  --secure-port PORT             admission and gate API, HTTPS (default: 8443)
  --health-port PORT             /healthz, /readyz and /metrics, HTTP (default: 8080)
  --metrics-lease NAMESPACE/NAME a klease with metrics of its own; may be repeated, ${MOST_METRICS_LEASES} times at most
  --tracing-endpoint URL         send a trace of each hold to this receiver of OTLP over HTTP, to URL/v1/traces (default: no traces)
  --tracing-sampling SHARE       the share of traces that is recorded, from 0 to 1 (default: 1)
  --self-fencing MODE            ${SELF_FENCING_MODES.join(", ")}: whether keepers may stop their pod by themselves (default: auto)
  --create-missing-leases BOOL   create the klease that a pod names when there is none (default: true)
  --write-ca-bundle BOOL         write the CA into the webhook configuration ${WEBHOOK_CONFIGURATION} (default: true)
  --log-level LEVEL              ${LOG_LEVELS.join(", ")} (default: info)
  --kubeconfig FILE              (default: the pod's service account)
  --gate-url URL                 where gates reach this server (default: the ClusterIP of Service ${SERVICE_NAME})
  --admission-client-ca FILE     admission answers only who shows a client certificate signed by this CA, PEM (default: whoever asks)
  --tls-address IP               a further address in the serving certificate; may be repeated
`;

/** The flags as they were given, or their defaults. Throws BadRequest for an unknown flag, and for one without a value. */
export function parseServeFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new KonductorError("BadRequest", describeError(error));
  }
}

export type ServeFlags = ReturnType<typeof parseServeFlags>;
