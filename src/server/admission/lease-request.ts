/**
 * LeaseRequests of everybody but konductor, whose own never come here. Who asks, since when, and when a renewal was asked for is not the
 * client's to say: the name and times are the API server's. The times of one request never go back, although the next call may meet a
 * replica that is a moment behind.
 *
 * What the CRD's schema refuses is left to it.
 */

import { KonductorError } from "../../shared/errors.ts";
import { record, text, textMap, timeMs } from "../../shared/json.ts";
import { LEASE_LABEL } from "../../shared/names.ts";
import { microTime } from "../../shared/times.ts";
import type { AdmissionRequest } from "./review.ts";

type Fields = Record<string, unknown>;

/**
 * `request` as it is to be stored.
 * @throws KonductorError `Forbidden` for one that claims to be a pod's.
 */
export function stampRequest(
  request: Fields,
  { operation, username, oldObject }: Pick<AdmissionRequest, "operation" | "username" | "oldObject">,
  nowMs: number,
): Fields {
  const spec = record(request["spec"]);
  const stamped =
    operation === "CREATE"
      ? stampNew(spec, username, nowMs)
      : stampRenewal(spec, record(record(oldObject)["spec"]), nowMs);
  return { ...withLabel(request, text(spec["lease"])), spec: stamped };
}

function stampNew({ gateRun: _, succeeded: __, ...spec }: Fields, username: string, nowMs: number): Fields {
  if (spec["holderRef"] !== undefined) {
    throw new KonductorError(
      "Forbidden",
      "spec.holderRef: konductor alone sets it, for pods that have proved who they are; leave it out, and label a pod " +
        `with ${LEASE_LABEL} to have it wait`,
    );
  }
  const requestedAt = microTime(nowMs);
  const waitUntilMs = timeMs(spec["waitUntil"]);
  const isOneTry = waitUntilMs !== undefined && waitUntilMs <= (timeMs(spec["requestedAt"]) ?? nowMs);
  return {
    ...spec,
    requestedAt,
    requestedBy: username,
    ...(isOneTry && { waitUntil: requestedAt }),
    ...(timeMs(spec["renewTime"]) !== undefined && { renewTime: requestedAt }),
  };
}

/** Removing `renewTime` asks for nothing. The old one is kept, as the next must still be later. */
function stampRenewal(spec: Fields, old: Fields, nowMs: number): Fields {
  const [sent, before] = [spec["renewTime"], text(old["renewTime"])];
  if (sent === before) return spec;
  if (sent === undefined) return { ...spec, renewTime: before };
  if (timeMs(sent) === undefined) return spec;
  const leastMs = (timeMs(before) ?? 0) + 1;
  return { ...spec, renewTime: microTime(Math.max(nowMs, leastMs)) };
}

/** Selectors find requests by this label. */
function withLabel(request: Fields, lease: string | undefined): Fields {
  const metadata = record(request["metadata"]);
  const labels = textMap(metadata["labels"]);
  if (lease === undefined || labels[LEASE_LABEL] === lease) return request;
  return { ...request, metadata: { ...metadata, labels: { ...labels, [LEASE_LABEL]: lease } } };
}
