/**
 * Requests and limits of the injected containers: small, admitted by quotas that admit the user's own containers and by the namespace's
 * LimitRanges, and such that the pod keeps its QoS class (k8s.io/kubernetes pkg/apis/core/v1/helper/qos). In a Guaranteed pod every
 * container, init containers included, must have equal and non-zero requests and limits of cpu and memory, unless the pod itself has them;
 * in a BestEffort pod none may have any.
 */
import {
  NO_OWN_RESOURCES,
  type OwnResources,
  RESOURCE_NAMES,
  type ResourceName,
} from "../../lease/own-resources.ts";
import { formatQuantity, parseQuantity } from "../../lease/quantity.ts";
import type { ContainerLimits } from "../../objects/limit-ranges.ts";
import type { Container, PodSpec, Quantities, Resources } from "./objects.ts";

/** Quantities of one resource. */
interface Amounts {
  request: string;
  limit: string;
}

/** Node takes 57 MiB. A limit of 100m cpu lets it start within a second; without one it takes what is idle. */
const DEFAULT: Readonly<Record<ResourceName, Amounts>> = {
  cpu: { request: "10m", limit: "100m" },
  memory: { request: "64Mi", limit: "128Mi" },
  "ephemeral-storage": { request: "8Mi", limit: "128Mi" },
};

/** Numbers for one resource; undefined: not set. */
interface Share {
  request: number | undefined;
  limit: number | undefined;
}

/** What sets the injected containers' resources, apart from the pod's own containers. */
export interface ResourceSources {
  /** What the namespace asks of every container. */
  ranges: readonly ContainerLimits[];
  /** What the install sets; ignored in a BestEffort pod. */
  install: OwnResources;
  /** What the pod's annotation sets, always applied. For a resource that it names, the install's values are ignored. */
  asked: OwnResources;
}

/** What each injected container of this pod gets; `user` are the containers that are not ours. */
export function ownResources(
  spec: PodSpec,
  user: readonly Container[],
  { ranges, install, asked }: ResourceSources,
): Resources {
  const requests: Quantities = {};
  const limits: Quantities = {};
  const guaranteed = user.length > 0 && user.every(isGuaranteed);
  const bestEffort = isEmpty(spec.resources) && user.every(({ resources }) => isEmpty(resources));
  for (const name of RESOURCE_NAMES) {
    const isAsked = asked.requests[name] !== undefined || asked.limits[name] !== undefined;
    // A budget of the whole pod is shared by its containers; a container's own limit might exceed it.
    if (!isAsked && (spec.resources?.requests?.[name] || spec.resources?.limits?.[name])) continue;
    const named = isAsked ? asked : bestEffort ? NO_OWN_RESOURCES : install;
    const own = amountsOf(name, named);
    const isCounted = name !== "ephemeral-storage";
    const inClass = guaranteed && isCounted;
    // A quota that demands a resource demands it of every container, so the user's containers show what is demanded.
    const isRequested = isCounted ? !bestEffort : user.every(({ resources }) => resources?.requests?.[name]);
    const isLimited =
      (name === "memory" && !bestEffort) || user.every(({ resources }) => resources?.limits?.[name]);
    const wanted: Share = {
      request:
        isRequested || named.requests[name] ? parseQuantity(inClass ? own.limit : own.request) : undefined,
      limit: isLimited || named.limits[name] ? parseQuantity(own.limit) : undefined,
    };
    const { request, limit } = ranges.reduce(
      (share, range) => fitted(share, name, range, { own, isEqual: inClass }),
      wanted,
    );
    if (request !== undefined) requests[name] = formatQuantity(name, request, [own.request, own.limit]);
    if (limit !== undefined) limits[name] = formatQuantity(name, limit, [own.limit]);
  }
  return { requests, limits };
}

/** The named amounts of one resource; the default of the other amount gives way to them. */
function amountsOf(name: ResourceName, { requests, limits }: OwnResources): Amounts {
  const pick = (choose: (...values: number[]) => number, ...texts: readonly string[]) =>
    texts.find((text) => parseQuantity(text) === choose(...texts.map((each) => parseQuantity(each) ?? 0))) ??
    "";
  const limit = limits[name] ?? pick(Math.max, DEFAULT[name].limit, requests[name] ?? DEFAULT[name].limit);
  return { limit, request: requests[name] ?? pick(Math.min, DEFAULT[name].request, limit) };
}

/**
 * The nearest share that a LimitRange admits, if any. The API server wants a request where the range has a minimum or a ratio, and a limit
 * where it has a maximum or a ratio (plugin/pkg/admission/limitranger). `isEqual`: request and limit stay the same.
 */
function fitted(
  { request, limit }: Share,
  name: string,
  { min, max, maxRatio }: ContainerLimits,
  { own, isEqual }: { own: Amounts; isEqual: boolean },
): Share {
  const [least, most, ratio] = [min, max, maxRatio].map((part) => parseQuantity(part[name]));
  if (least === undefined && most === undefined && ratio === undefined) return { request, limit };
  const within = (value: number) =>
    Math.min(Math.max(value, least ?? value), most ?? Number.POSITIVE_INFINITY);
  const needsLimit = limit !== undefined || most !== undefined || ratio !== undefined;
  const fitLimit = needsLimit ? within(limit ?? parseQuantity(own.limit) ?? 0) : undefined;
  const needsRequest = request !== undefined || least !== undefined || ratio !== undefined;
  if (!needsRequest) return { request, limit: fitLimit };
  const lowest = ratio && fitLimit !== undefined ? fitLimit / ratio : 0;
  const wanted = isEqual && fitLimit !== undefined ? fitLimit : (request ?? parseQuantity(own.request) ?? 0);
  const highest = fitLimit ?? Number.POSITIVE_INFINITY;
  return { request: within(Math.min(Math.max(wanted, lowest), highest)), limit: fitLimit };
}

function isEmpty(resources: Resources | undefined): boolean {
  return [resources?.requests, resources?.limits].every((part) => Object.keys(part ?? {}).length === 0);
}

function isGuaranteed({ resources }: Container): boolean {
  return ["cpu", "memory"].every((name) => {
    const limit = parseQuantity(resources?.limits?.[name]);
    // The API server has set a missing request to the limit.
    return limit !== undefined && limit > 0 && parseQuantity(resources?.requests?.[name]) === limit;
  });
}
