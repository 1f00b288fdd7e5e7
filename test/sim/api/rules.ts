/**
 * What the API server does with an object by the schemas in deploy/crds and by the types of Kubernetes: defaults, immutable fields, and status
 * subresources. Only what konductor's code relies on is here.
 */
import { isDeepStrictEqual } from "node:util";
import { JOBS, LEASE_REQUESTS, LEASES, NODES, PODS, type Resource } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { invalid } from "./refused.ts";

export type Json = Record<string, unknown>;

export const hasStatus = (resource: Resource) =>
  [LEASES, LEASE_REQUESTS, PODS, JOBS, NODES].includes(resource);

/** Nobody has said yet what becomes of it. */
const DEFAULT_REQUEST_STATUS = {
  phase: "Pending",
  conditions: [
    {
      ...{ type: "Granted", status: "False", reason: "Waiting", message: "it waits for its turn" },
      lastTransitionTime: "1970-01-01T00:00:00Z",
    },
  ],
};

/** The object as it is stored at its creation. With a status subresource, its status is only the schema's default. */
export function fresh(resource: Resource, object: Json): Json {
  if (!hasStatus(resource) || resource === NODES) return object;
  const { status: _, ...rest } = object;
  if (resource === LEASES)
    return { ...rest, spec: { priority: 0, renewable: true, ...record(object["spec"]) } };
  if (resource === LEASE_REQUESTS) return { ...rest, status: DEFAULT_REQUEST_STATUS };
  return { ...rest, status: resource === PODS ? { phase: "Pending" } : {} };
}

const FIXED = ["lease", "holder", "holderRef", "priority", "ttl", "requestedAt", "requestedBy", "gateRun"];

/** Throws Invalid for a change that the schemas forbid. */
export function validate(resource: Resource, name: string, object: Json, old: Json | undefined): void {
  const status = record(object["status"]);
  if (resource === LEASES) {
    if (record(object["spec"])["ttl"] === undefined)
      throw invalid(resource, name, "spec.ttl: Required value");
    validateLease(name, status, record(old?.["status"]));
  }
  if (resource !== LEASE_REQUESTS) return;
  const [spec, before] = [record(object["spec"]), record(old?.["spec"])];
  if (spec["lease"] === undefined || spec["holder"] === undefined)
    throw invalid(resource, name, "spec.lease: Required value");
  const changed = old && FIXED.find((field) => !isDeepStrictEqual(spec[field], before[field]));
  if (changed) throw invalid(resource, name, `spec.${changed}: Invalid value: must not change`);
  if (status["phase"] === "Granted" && status["fencingToken"] === undefined)
    throw invalid(resource, name, "status: Invalid value: phase Granted requires fencingToken");
}

function validateLease(name: string, status: Json, before: Json): void {
  const refuse = (why: string) => invalid(LEASES, name, `status: Invalid value: ${why}`);
  const { phase, holder, fencingToken: token } = status;
  if (phase === "Held") {
    const isWhole = holder && status["acquired"] && status["expires"] && token;
    if (!isWhole) throw refuse("phase Held requires holder, acquired, expires and fencingToken");
  }
  if (phase === "Available" && (holder || status["holderRef"] !== undefined))
    throw refuse("phase Available must have no holder and no holderRef");
  const last = before["fencingToken"];
  if (last === undefined) return;
  if (token === undefined || Number(token) < Number(last)) throw refuse("must never decrease or be removed");
  const isSameHold = before["phase"] === "Held" && before["holder"] === holder;
  if (phase === "Held" && !isSameHold && Number(token) <= Number(last))
    throw refuse("must increase with every new hold");
}
