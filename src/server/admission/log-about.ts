import { aboutLease, type LogFields } from "../../lease/log-fields.ts";
import { isLeaseName } from "../../lease/naming.ts";
import { record } from "../../shared/json.ts";
import { GROUP, LEASE_LABEL } from "../../shared/names.ts";
import type { AdmissionRequest } from "./review.ts";

const LONGEST_NAME = 253;

/** What the reviewed object says itself of the Lease that it concerns. The API server has not validated it yet, so that any text may be long. */
export function aboutReviewed({ kind, namespace, object, oldObject }: AdmissionRequest): LogFields {
  const { metadata, spec } = record(object ?? oldObject);
  const { name, labels } = record(metadata);
  const lease = (found: unknown) =>
    typeof found === "string" && isLeaseName(found) ? aboutLease({ namespace, name: found }) : {};
  const named = <F extends keyof LogFields>(field: F, found: unknown) =>
    typeof found === "string" && found !== "" && found.length <= LONGEST_NAME ? { [field]: found } : {};
  switch (kind) {
    case `${GROUP}/Lease`:
      return lease(name);
    case `${GROUP}/LeaseRequest`: {
      const { lease: wanted, holder } = record(spec);
      return { ...lease(wanted), ...named("holder", holder), ...named("request", name) };
    }
    default: {
      const wanted = lease(record(labels)[LEASE_LABEL]);
      return { ...wanted, ...("lease" in wanted && kind === "/Pod" && named("pod", name)) };
    }
  }
}
