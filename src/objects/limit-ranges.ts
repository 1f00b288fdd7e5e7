import type { KubeClient } from "../kube/api.ts";
import { createReflector } from "../kube/reflector.ts";
import { LIMIT_RANGES } from "../kube/resources.ts";
import type { Clock } from "../shared/clock.ts";
import { list, record, text, textMap } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";

/** The quantities that a LimitRange demands of every container, by resource. */
export interface ContainerLimits {
  min: Readonly<Record<string, string>>;
  max: Readonly<Record<string, string>>;
  /** How many times its request a limit may be. */
  maxRatio: Readonly<Record<string, string>>;
}

export interface LimitRangeView {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  containers: readonly ContainerLimits[];
}

/** The LimitRanges of all namespaces, as cached: admission answers from memory alone. */
export interface LimitRanges {
  start(signal: AbortSignal): void;
  /** Those of the namespace; none before the first list, or if that is forbidden. */
  in(namespace: string): ContainerLimits[];
}

const BY_NAMESPACE = "namespace";

/** Not among the caches that a replica cannot work without. */
export function createLimitRanges(deps: { client: KubeClient; clock: Clock; logger: Logger }): LimitRanges {
  const reflector = createReflector<LimitRangeView>({
    ...deps,
    resource: LIMIT_RANGES,
    parse: parseLimitRange,
    indexers: { [BY_NAMESPACE]: ({ namespace }) => namespace },
  });
  return {
    start: reflector.start,
    in: (namespace) =>
      reflector.store.byIndex(BY_NAMESPACE, namespace).flatMap(({ containers }) => containers),
  };
}

export function parseLimitRange(object: unknown): LimitRangeView {
  const { metadata, spec } = record(object);
  const { namespace, name, uid, resourceVersion } = record(metadata);
  return {
    namespace: text(namespace) ?? "",
    name: text(name) ?? "",
    uid: text(uid) ?? "",
    resourceVersion: text(resourceVersion) ?? "",
    containers: list(record(spec)["limits"])
      .map(record)
      .filter(({ type }) => type === "Container")
      .map(({ min, max, maxLimitRequestRatio }) => ({
        ...{ min: textMap(min), max: textMap(max), maxRatio: textMap(maxLimitRequestRatio) },
      })),
  };
}
