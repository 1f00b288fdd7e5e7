/**
 * Every label, annotation, object name and path that two parts must agree on. Nothing here is configuration: changing a
 * value breaks pods that run already.
 */

export const GROUP = "konductor.io";
export const VERSION = "v1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The one label a user writes, on a pod template, a Job or a CronJob. Its value is the Lease's name. */
export const LEASE_LABEL = `${GROUP}/lease`;

/** Annotations that a user may write beside the label. */
export const ANNOTATION = {
  ifHeld: `${GROUP}/if-held`,
  waitTimeout: `${GROUP}/wait-timeout`,
  maxWaiting: `${GROUP}/max-waiting`,
  priority: `${GROUP}/priority`,
  ttl: `${GROUP}/ttl`,
  renew: `${GROUP}/renew`,
  maxHold: `${GROUP}/max-hold`,
  gate: `${GROUP}/gate`,
  startTimeout: `${GROUP}/start-timeout`,
  maxRestarts: `${GROUP}/max-restarts`,
  once: `${GROUP}/once`,
  onLost: `${GROUP}/on-lost`,
  tokenFile: `${GROUP}/token-file`,
  resources: `${GROUP}/resources`,
  /**
   * A place in a trace, under which the spans of the hold are to hang. Where there is none, and traces are on, our webhook adds one. The
   * prefix is another, because konductor 0.1.0 refuses every key below `konductor.io/` that it does not know.
   */
  traceparent: `trace.${GROUP}/traceparent`,
} as const;

/** Written by our admission webhook on every pod it injected; the value is konductor's version. */
export const INJECTED_ANNOTATION = `${GROUP}/injected`;
/** Lists the labels and annotations that we put into a CronJob's template, so that they can be withdrawn again. */
export const PROPAGATED_ANNOTATION = `${GROUP}/propagated`;
/** On a Job that waits as a whole: konductor has suspended it. A suspended Job without this was suspended by somebody else. */
export const SUSPENDED_ANNOTATION = `${GROUP}/suspended`;
/** On a Job that waits as a whole: the token under which konductor let it run last. */
export const RESUMED_ANNOTATION = `${GROUP}/resumed`;
/** konductor's notes on objects that are not its own: nobody else's word counts. */
export const OWN_MARKS: readonly string[] = [
  INJECTED_ANNOTATION,
  PROPAGATED_ANNOTATION,
  SUSPENDED_ANNOTATION,
  RESUMED_ANNOTATION,
];
/** On a Lease: an admin has taken it from its holder. Written by our admission webhook only. */
export const FORCE_RELEASE_ANNOTATION = `${GROUP}/force-release`;
/** On a paused Lease: who has paused it, and when. Written by our admission webhook only. */
export const PAUSE_ANNOTATION = `${GROUP}/paused`;
/** On a Lease: an admin has konductor forget that work is done. A user writes the key alone, and our webhook the rest. */
export const FORGET_ANNOTATION = `${GROUP}/forget`;
/** On a Lease that was created from the manifest of an earlier one: what was done under that. Written by our admission webhook. */
export const DONE_ANNOTATION = `${GROUP}/done`;
/** On a client's LeaseRequest: the uid of the pod in which the client ran, by its own word. */
export const CLIENT_POD_ANNOTATION = `${GROUP}/client-pod`;
/** On a client's LeaseRequest: random letters of the attempt that made it, by which the client knows it where no answer came. */
export const CLIENT_ATTEMPT_ANNOTATION = `${GROUP}/client-attempt`;
/** On the events of a Lease: which hold each is about and, at its end, what the Lease's history says of it. For people and programs that show holds. */
export const HOLD_ANNOTATION = {
  holder: `${GROUP}/holder`,
  token: `${GROUP}/token`,
  acquired: `${GROUP}/acquired`,
  ended: `${GROUP}/ended`,
  by: `${GROUP}/by`,
} as const;
/** Who reports konductor's events. */
export const EVENT_COMPONENT = "konductor";

export const GATE_CONTAINER = "konductor-gate";
export const KEEPER_CONTAINER = "konductor-keeper";
/** Paths of Node in konductor's own image, those of Node.js, and distroless ones. The PATH is not searched, as an image may set it. */
export const NODE_PATHS = ["/usr/bin/node", "/usr/local/bin/node", "/nodejs/bin/node"] as const;
export type NodePath = (typeof NODE_PATHS)[number];
const GATE_SCRIPT = "/konductor/gate.js";
/** What gate and keeper run, with an argument that says which of them it is. */
export const gateProgram = (nodePath: NodePath): string[] => [nodePath, GATE_SCRIPT];
/** What they run of an image of Node.js alone: the program that {@link ENV.program} holds, with `process.argv` as if it were a file. */
export const GATE_BOOT =
  'process.argv.splice(1,0,"gate.js");require("vm").runInThisContext(require("zlib").brotliDecompressSync' +
  '(Buffer.from(process.env.KONDUCTOR_PROGRAM,"base64")).toString(),"gate.js")';
export const bootedGateProgram = (nodePath: NodePath): string[] => [nodePath, "-e", GATE_BOOT];
/** Every program that konductor injects where its image has one, and that of 0.1.0. */
export const IMAGE_PROGRAMS = [...NODE_PATHS.map(gateProgram), ["node", GATE_SCRIPT]];
/** Every program that konductor injects. */
export const GATE_PROGRAMS = [...IMAGE_PROGRAMS, ...NODE_PATHS.map(bootedGateProgram)];
export const TOKEN_VOLUME = "konductor-token";
export const STATE_VOLUME = "konductor-state";
/** Whom the pod has learnt to trust as konductor. */
export const TRUST_VOLUME = "konductor-trust";
/** What the user's containers read of the hold, where they ask for it. */
export const LEASE_VOLUME = "konductor-lease";

/** Keeps a pod from being scheduled until it holds its Lease. */
export const SCHEDULING_GATE = `${GROUP}/lease`;

/** The audience of the projected tokens by which gate and keeper prove who they are. */
export const TOKEN_AUDIENCE = GROUP;
/** Where the injected containers find their token and their shared state. */
export const TOKEN_DIR = "/var/run/secrets/konductor.io";
export const TOKEN_PATH = `${TOKEN_DIR}/token`;
export const STATE_DIR = "/run/konductor";
export const TRUST_DIR = "/run/konductor-trust";
/** Where gate and keeper write what the user's containers read, and the names of its files. */
export const LEASE_DIR = "/run/konductor-lease";
export const LEASE_FILES = { token: "token", expires: "expires" } as const;

/** Environment of the injected containers. */
export const ENV = {
  url: "KONDUCTOR_URL",
  host: "KONDUCTOR_HOST",
  ca: "KONDUCTOR_CA",
  lease: "KONDUCTOR_LEASE",
  fencing: "KONDUCTOR_FENCING",
  stopMs: "KONDUCTOR_STOP_MS",
  /** "false" where the pod's restartPolicy is Never: a gate that finds its hold lost may not queue again. */
  rerun: "KONDUCTOR_RERUN",
  /** "continue" where the user accepts that two may run: the keeper then never fences. */
  onLost: "KONDUCTOR_ON_LOST",
  /** Where the token and the shared state are, if not at {@link TOKEN_PATH} and {@link STATE_DIR}: for nodes without containers. */
  tokenPath: "KONDUCTOR_TOKEN_PATH",
  stateDir: "KONDUCTOR_STATE_DIR",
  /** Where {@link TRUST_VOLUME} is; unset in pods that were made by konductor 0.1.0. */
  trustDir: "KONDUCTOR_TRUST_DIR",
  /** Where {@link LEASE_VOLUME} is; unset where the user's containers do not read it. */
  leaseDir: "KONDUCTOR_LEASE_DIR",
  /** Where the image has no program of konductor's: the program, compressed by brotli, as base64. */
  program: "KONDUCTOR_PROGRAM",
  /** Where the container's termination message goes, if not to the kubelet's default path. */
  terminationLog: "KONDUCTOR_TERMINATION_LOG",
} as const;

export const TERMINATION_LOG_PATH = "/dev/termination-log";

/** The termination message of a gate that lets its pod through: it ties the pod's status to one hold, and to one run of the gate. */
export function passMessage(token: number, gateRun?: string): string {
  return gateRun === undefined ? `acquired ${token}` : `acquired ${token} in ${gateRun}`;
}

/** The token in a gate's termination message; undefined where it let nobody through. */
export function passedToken(message: string | undefined): number | undefined {
  const digits = message?.match(PASSED)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The run of the gate in its termination message. */
export function passedRun(message: string | undefined): string | undefined {
  return message?.match(PASSED)?.[2];
}

const PASSED = /^acquired (\d+)(?: in (\S+))?$/;

/** konductor's own objects. The namespace is the one that `deploy/` names; an install may choose another. */
export const SYSTEM_NAMESPACE = "konductor-system";
export const SERVICE_NAME = "konductor";
/** Shows konductor's pods to a person, in whatever namespace they run. */
export const GET_PODS = "kubectl get pods -A -l app.kubernetes.io/name=konductor";
export const SERVICE_ACCOUNT = "konductor";
/** konductor's user name, as the API server knows it, where it runs in `namespace`. */
export function accountName(namespace: string): string {
  return `system:serviceaccount:${namespace}:${SERVICE_ACCOUNT}`;
}
export const TLS_SECRET = "konductor-tls";
export const WEBHOOK_CONFIGURATION = "konductor";
export const ELECTION_LEASE = "konductor-arbiter";
/** On the election's Lease: the leader cannot work, and gives the lead to whoever writes its identity here. */
export const OFFERED_ANNOTATION = `${GROUP}/lead-offered-to`;

/** Admission and gate API paths. */
export const PATH = {
  mutate: "/admission/mutate",
  acquire: "/v1/acquire",
  renew: "/v1/renew",
  announce: "/v1/announce",
  release: "/v1/release",
} as const;

/** Exit codes of gate and keeper (a native sidecar's restart rule names {@link EXIT.fenced}). */
export const EXIT = { done: 0, refused: 69, fenced: 75, lost: 76, badConfiguration: 78 } as const;
