/**
 * Requests and limits of the injected containers: small, admitted by quotas that admit the user's own containers, and such that
 * the pod keeps its QoS class Guaranteed (k8s.io/kubernetes pkg/apis/core/v1/helper/qos: every container, init containers
 * included, must have equal and non-zero requests and limits of cpu and memory, unless the pod itself has them).
 */

import type { Container, PodSpec, Quantities, Resources } from "./objects.ts";
import { parseQuantity } from "./quantity.ts";

/** Node takes 57 MiB. A limit of 100m cpu lets it start within a second; without one it takes what is idle. */
const OWN: Readonly<Record<string, { request: string; limit: string }>> = {
  cpu: { request: "10m", limit: "100m" },
  memory: { request: "64Mi", limit: "128Mi" },
  "ephemeral-storage": { request: "8Mi", limit: "128Mi" },
};

/** What each injected container of this pod gets; `user` are the containers that are not ours. */
export function ownResources(spec: PodSpec, user: readonly Container[]): Resources {
  const requests: Quantities = {};
  const limits: Quantities = {};
  const guaranteed = user.length > 0 && user.every(isGuaranteed);
  for (const [name, own] of Object.entries(OWN)) {
    // A budget of the whole pod is shared by its containers; a container's own limit might exceed it.
    if (spec.resources?.requests?.[name] || spec.resources?.limits?.[name]) continue;
    const inClass = guaranteed && name !== "ephemeral-storage";
    // A quota that demands a resource demands it of every container, so the user's show what is demanded.
    if (name !== "ephemeral-storage" || user.every(({ resources }) => resources?.requests?.[name])) {
      requests[name] = inClass ? own.limit : own.request;
    }
    if (name === "memory" || user.every(({ resources }) => resources?.limits?.[name]))
      limits[name] = own.limit;
  }
  return { requests, limits };
}

function isGuaranteed({ resources }: Container): boolean {
  return ["cpu", "memory"].every((name) => {
    const limit = parseQuantity(resources?.limits?.[name]);
    // The API server has set a missing request to the limit.
    return limit !== undefined && limit > 0 && parseQuantity(resources?.requests?.[name]) === limit;
  });
}
