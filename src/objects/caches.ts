import type { KubeClient } from "../kube/api.ts";
import { createReflector, type Reflector } from "../kube/reflector.ts";
import { JOBS, LEASE_REQUESTS, LEASES, NODES, PODS } from "../kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import { podsOf } from "../lease/hold.ts";
import { type JobView, parseJob } from "../lease/job.ts";
import { aboutKey } from "../lease/log-fields.ts";
import { type PodView, parsePod } from "../lease/pod.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import { type NodeView, parseNode } from "./node-view.ts";

/** What every replica knows of the cluster, so that any of them can become the arbiter at once. */
export interface Caches {
  leases: Reflector<Lease>;
  requests: Reflector<LeaseRequest>;
  /** Pods that carry our label. */
  pods: Reflector<PodView>;
  /** Jobs that carry our label. */
  jobs: Reflector<JobView>;
  nodes: Reflector<NodeView>;
}

/** Index of requests, pods and Jobs: `namespace/lease`. */
export const BY_LEASE = "lease";
/** Index of leases: the nodes of those who may run under the hold. */
export const BY_NODE = "node";

export function createCaches(deps: { client: KubeClient; clock: Clock; logger: Logger }): Caches {
  return {
    leases: createReflector({
      ...deps,
      resource: LEASES,
      parse: parseLease,
      about: aboutKey,
      indexers: {
        [BY_NODE]: ({ status: { hold } }) => hold && podsOf(hold).map(({ node }) => node),
      },
    }),
    requests: createReflector({
      ...deps,
      resource: LEASE_REQUESTS,
      parse: parseLeaseRequest,
      about: (key) => ({ object: key, request: key.slice(key.indexOf("/") + 1) }),
      indexers: { [BY_LEASE]: ({ namespace, spec }) => `${namespace}/${spec.lease}` },
    }),
    pods: createReflector({
      ...deps,
      resource: PODS,
      selector: LEASE_LABEL,
      parse: parsePod,
      indexers: { [BY_LEASE]: ({ namespace, lease }) => lease && `${namespace}/${lease}` },
    }),
    jobs: createReflector({
      ...deps,
      resource: JOBS,
      selector: LEASE_LABEL,
      parse: parseJob,
      indexers: { [BY_LEASE]: ({ namespace, lease }) => lease && `${namespace}/${lease}` },
    }),
    nodes: createReflector({ ...deps, resource: NODES, parse: parseNode }),
  };
}
