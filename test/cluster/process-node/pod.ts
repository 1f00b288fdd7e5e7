/** The part of a pod that the process node reads, and what follows from it alone. */

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly deleting: boolean;
  readonly deletionGracePeriodSeconds: number | undefined;
  readonly nodeName: string;
  readonly serviceAccountName: string;
  readonly hostNetwork: boolean;
  readonly restartPolicy: RestartPolicy;
  readonly terminationGracePeriodSeconds: number;
  readonly activeDeadlineSeconds: number | undefined;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  /** The status that the API server holds. */
  readonly phase: Phase;
  readonly conditions: readonly Condition[];
  readonly startTime: string | undefined;
}

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";
export type RestartPolicy = "Always" | "OnFailure" | "Never";

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvVar[];
  readonly mounts: readonly VolumeMount[];
  /** The container's own policy; undefined if the pod's applies. */
  readonly restartPolicy: RestartPolicy | undefined;
  readonly restartRules: readonly RestartRule[];
  /** An init container that runs alongside the main containers. */
  readonly sidecar: boolean;
  readonly preStop: Hook | undefined;
}

export interface EnvVar {
  readonly name: string;
  readonly value: string;
  /** Of the downward API; if set, `value` is empty. */
  readonly fieldPath: string | undefined;
  /** A source that the process node does not know. */
  readonly unsupported: boolean;
}

export interface VolumeMount {
  readonly volume: string;
  readonly path: string;
  readonly subPath: string;
}

/** A rule of `restartPolicyRules` (KEP-5307, KEP-5532). */
export interface RestartRule {
  readonly action: string;
  readonly operator: string;
  readonly exitCodes: readonly number[];
}

export type Hook =
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | { readonly kind: "sleep"; readonly seconds: number }
  | { readonly kind: "unsupported" };

export type Volume =
  | { readonly kind: "emptyDir"; readonly name: string }
  | { readonly kind: "hostPath"; readonly name: string; readonly path: string }
  | { readonly kind: "projected"; readonly name: string; readonly sources: readonly ProjectedSource[] }
  | { readonly kind: "unsupported"; readonly name: string };

export type ProjectedSource =
  | {
      readonly kind: "token";
      readonly path: string;
      readonly audience: string | undefined;
      readonly expirationSeconds: number;
    }
  | {
      readonly kind: "configMap" | "secret";
      readonly name: string;
      readonly items: readonly { readonly key: string; readonly path: string }[];
      readonly optional: boolean;
    }
  | {
      readonly kind: "downwardAPI";
      readonly items: readonly { readonly path: string; readonly fieldPath: string }[];
    };

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime: string | undefined;
}

/** Whether the kubelet restarts a container with this exit code. Ported from `podutil.ContainerShouldRestart` (kubelet 1.37). */
export function shouldRestart(pod: Pod, container: Container, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    const rule = container.restartRules.find(
      ({ operator, exitCodes }) => exitCodes.includes(exitCode) === (operator === "In"),
    );
    if (rule?.action === "Restart") return true;
  }
  const policy = container.restartPolicy ?? pod.restartPolicy;
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** Whether no container of the pod can ever run again. */
export function isTerminal(phase: Phase): boolean {
  return phase === "Succeeded" || phase === "Failed";
}
