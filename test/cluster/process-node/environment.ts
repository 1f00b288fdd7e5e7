/** The environment of a container's process: the variables that the pod sets, and those that every container has. */
import type { Container, EnvVar, Pod } from "./pod.ts";

export interface PodAddresses {
  readonly hostIp: string;
  readonly podIp: string;
}

/** A container cannot be started from its spec; the kubelet's CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

/** The pod's own variables override `base`. Throws ContainerConfigError for a source that the process node does not know. */
export function containerEnv(
  pod: Pod,
  container: Container,
  addresses: PodAddresses,
  base: Readonly<Record<string, string>>,
): Record<string, string> {
  const env: Record<string, string> = { ...base };
  for (const variable of container.env) env[variable.name] = envValue(pod, variable, addresses, env);
  return env;
}

function envValue(
  pod: Pod,
  variable: EnvVar,
  addresses: PodAddresses,
  env: Readonly<Record<string, string>>,
): string {
  if (variable.unsupported) {
    throw new ContainerConfigError(`env ${variable.name}: the process node knows value and fieldRef only`);
  }
  if (variable.fieldPath !== undefined) return fieldValue(pod, variable.fieldPath, addresses);
  return expand(variable.value, env);
}

/** A field of the downward API. Throws ContainerConfigError if the path names no such field. */
export function fieldValue(pod: Pod, path: string, { hostIp, podIp }: PodAddresses): string {
  const values: Record<string, string> = {
    "metadata.name": pod.name,
    "metadata.namespace": pod.namespace,
    "metadata.uid": pod.uid,
    "spec.nodeName": pod.nodeName,
    "spec.serviceAccountName": pod.serviceAccountName,
    "status.hostIP": hostIp,
    "status.podIP": podIp,
    "status.podIPs": podIp,
  };
  const value = values[path];
  if (value !== undefined) return value;
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (!map || !key)
    throw new ContainerConfigError(`fieldRef ${path}: the process node does not know this field`);
  return (map === "labels" ? pod.labels : pod.annotations)[key] ?? "";
}

/** Replaces `$(NAME)` by that variable's value and `$$` by a dollar sign; an unknown name stays (Kubernetes' third_party/forked/golang/expansion). */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\$|\(([^)]*)\))/g, (match, inner: string, name: string | undefined) =>
    inner === "$" ? "$" : (env[name ?? ""] ?? match),
  );
}
