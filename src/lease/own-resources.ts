/**
 * Requests and limits of gate and keeper, written `requests.cpu=50m,limits.memory=256Mi` with a ResourceQuota's names: for one pod in its
 * annotation, for all pods at the install.
 */
import { parseQuantity } from "./quantity.ts";

export const RESOURCE_NAMES = ["cpu", "memory", "ephemeral-storage"] as const;
const SIDES = ["requests", "limits"] as const;

export type ResourceName = (typeof RESOURCE_NAMES)[number];
type Side = (typeof SIDES)[number];

/** Quantities as they were written, each above zero. */
export type OwnResources = Readonly<Record<Side, Readonly<Partial<Record<ResourceName, string>>>>>;

export const NO_OWN_RESOURCES: OwnResources = { requests: {}, limits: {} };

/** Node.js takes 57 MiB: with less the keeper is killed, and its pod stopped. */
const LEAST_MEMORY_LIMIT = 64 * 2 ** 20;
/** Six entries, with room for spaces. */
const LONGEST = 256;

export const OWN_RESOURCES_RULE =
  'a list such as "requests.cpu=50m,limits.memory=256Mi" of requests and limits of cpu, memory and ephemeral-storage, none of them 0, no ' +
  "request above its limit, and limits.memory at least 64Mi";

/** undefined for what {@link OWN_RESOURCES_RULE} does not allow. */
export function parseOwnResources(text: string): OwnResources | undefined {
  if (text.length > LONGEST) return undefined;
  const found: Record<Side, Partial<Record<ResourceName, string>>> = { requests: {}, limits: {} };
  for (const entry of text.split(",")) {
    const [, sideText, nameText, quantity = ""] = /^(\w+)\.([a-z-]+)=(\S+)$/.exec(entry.trim()) ?? [];
    const side = SIDES.find((known) => known === sideText);
    const name = RESOURCE_NAMES.find((known) => known === nameText);
    if (!side || !name || found[side][name] !== undefined || !isPositive(quantity)) return undefined;
    found[side][name] = quantity;
  }
  const isAbove = (name: ResourceName) =>
    (parseQuantity(found.requests[name]) ?? 0) >
    (parseQuantity(found.limits[name]) ?? Number.POSITIVE_INFINITY);
  const isStarved = (parseQuantity(found.limits.memory) ?? Number.POSITIVE_INFINITY) < LEAST_MEMORY_LIMIT;
  return RESOURCE_NAMES.some(isAbove) || isStarved ? undefined : found;
}

function isPositive(quantity: string): boolean {
  const value = parseQuantity(quantity) ?? 0;
  return value > 0 && Number.isFinite(value);
}
