/**
 * The containers and volumes that konductor puts into a pod. Every field that the API server would default to something else is set, so
 * that a second pass over the stored form finds nothing to do.
 *
 * Gate and keeper can read the token's file whatever the pod's securityContext says (pkg/volume/projected and FsUserFrom in
 * k8s.io/kubernetes): if all containers run as one user, it is that user's (0600); if there is an fsGroup, both are in it (0640); else
 * everybody may read it (0644).
 */

import type { OwnResources } from "../../lease/own-resources.ts";
import {
  bootedGateProgram,
  ENV,
  EXIT,
  GATE_CONTAINER,
  gateProgram,
  KEEPER_CONTAINER,
  LEASE_DIR,
  LEASE_VOLUME,
  type NodePath,
  STATE_DIR,
  STATE_VOLUME,
  TERMINATION_LOG_PATH,
  TOKEN_AUDIENCE,
  TOKEN_DIR,
  TOKEN_PATH,
  TOKEN_VOLUME,
  TRUST_DIR,
  TRUST_VOLUME,
} from "../../shared/names.ts";
import type { Container, Resources, Volume } from "./objects.ts";

/** Where the injected containers come from, and how they reach the server. */
export interface Injection {
  image: string;
  /** Path of Node in that image. */
  nodePath: NodePath;
  /** What gate and keeper run where that image has Node alone: the value of {@link ENV.program}. */
  program: string | undefined;
  /** Pull Secrets for that image, by name, in the pod's namespace. */
  imagePullSecrets: readonly string[];
  /** The user and group that they run as; undefined: the image's, or what the cluster gives a container that names none. */
  runAsUser: number | undefined;
  /** Requests and limits that the install names. */
  resources: OwnResources;
  /** Origin by ClusterIP, e.g. `https://10.96.0.7:443`. */
  url: string;
  /** DNS name of the Service. */
  host: string;
  /** PEM bundle. */
  ca: string;
  /** konductor's version, written into the pod. */
  version: string;
}

export interface ContainerPlan {
  lease: string;
  selfFencing: boolean;
  stopMs: number;
  /** Whether a fenced pod may queue again. */
  rerun: boolean;
  onLost: string;
  /** Whether the user's containers read token and expiry. */
  showsLease: boolean;
  resources: Resources;
}

const WORLD_READABLE = 0o644;
/** Written at every renewal; outlives containers, but neither the pod nor a reboot of its node. */
const IN_MEMORY = { medium: "Memory", sizeLimit: "1Mi" } as const;
/** Outlives a reboot. */
const ON_DISK = { sizeLimit: "1Mi" } as const;

/** Gate and keeper, in their order. */
export function ownContainers(plan: ContainerPlan, injection: Injection): [Container, Container] {
  const { nodePath } = injection;
  const program = injection.program === undefined ? gateProgram(nodePath) : bootedGateProgram(nodePath);
  const common = {
    image: injection.image,
    imagePullPolicy: "IfNotPresent",
    command: program,
    env: environment(plan, injection),
    resources: plan.resources,
    securityContext: {
      runAsNonRoot: true,
      ...(injection.runAsUser !== undefined && {
        runAsUser: injection.runAsUser,
        runAsGroup: injection.runAsUser,
      }),
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: TOKEN_DIR, readOnly: true },
      { name: STATE_VOLUME, mountPath: STATE_DIR },
      { name: TRUST_VOLUME, mountPath: TRUST_DIR },
      ...(plan.showsLease ? [{ name: LEASE_VOLUME, mountPath: LEASE_DIR }] : []),
    ],
    terminationMessagePath: TERMINATION_LOG_PATH,
    // So that `kubectl describe pod` shows why a gate failed.
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
  const gate = { name: GATE_CONTAINER, args: ["gate"], ...common };
  const keeper = {
    name: KEEPER_CONTAINER,
    args: ["keep"],
    ...common,
    restartPolicy: "Always",
    lifecycle: { preStop: { exec: { command: [...program, "announce"] } } },
    ...(plan.selfFencing && { restartPolicyRules: [FENCE] }),
  };
  return [gate, keeper];
}

/** KEP-5532: when the keeper exits with this code, the kubelet stops every other container and reruns the pod in place. */
const FENCE = { action: "RestartAllContainers", exitCodes: { operator: "In", values: [EXIT.fenced] } };

/** `showsLease`: with the volume that the user's containers read. */
export function ownVolumes(showsLease: boolean): Volume[] {
  const token = {
    audience: TOKEN_AUDIENCE,
    path: TOKEN_PATH.slice(TOKEN_DIR.length + 1),
    expirationSeconds: 3600,
  };
  return [
    {
      name: TOKEN_VOLUME,
      projected: { sources: [{ serviceAccountToken: token }], defaultMode: WORLD_READABLE },
    },
    { name: STATE_VOLUME, emptyDir: IN_MEMORY },
    { name: TRUST_VOLUME, emptyDir: ON_DISK },
    ...(showsLease ? [{ name: LEASE_VOLUME, emptyDir: IN_MEMORY }] : []),
  ];
}

function environment(
  { lease, selfFencing, stopMs, rerun, onLost, showsLease }: ContainerPlan,
  { url, host, ca, program }: Injection,
) {
  const values = {
    [ENV.url]: url,
    [ENV.host]: host,
    [ENV.ca]: ca,
    [ENV.lease]: lease,
    [ENV.fencing]: String(selfFencing),
    [ENV.stopMs]: String(stopMs),
    [ENV.rerun]: String(rerun),
    [ENV.onLost]: onLost,
    [ENV.trustDir]: TRUST_DIR,
    ...(showsLease && { [ENV.leaseDir]: LEASE_DIR }),
    ...(program !== undefined && { [ENV.program]: program }),
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
