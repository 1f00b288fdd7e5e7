/** Admission as our webhooks and policies do it: konductor, Kubernetes and the nodes pass, and everybody else's writes are checked. */
import { LEASE_REQUESTS, LEASES } from "../../src/kube/resources.ts";
import { admitDoneWork } from "../../src/server/admission/done-work.ts";
import { admitLease } from "../../src/server/admission/forced-release.ts";
import { stampRequest } from "../../src/server/admission/lease-request.ts";
import { stampPause } from "../../src/server/admission/pause-stamp.ts";
import { KonductorError } from "../../src/shared/errors.ts";
import { record } from "../../src/shared/json.ts";
import { accountName, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { CONTROLLERS } from "./api/cluster.ts";
import { Refused } from "./api/refused.ts";
import type { Json } from "./api/rules.ts";
import type { Review } from "./api/store.ts";

export const KONDUCTOR = accountName(SYSTEM_NAMESPACE);
export const ADMIN = "admin";
const PASS = [KONDUCTOR, CONTROLLERS];

/**
 * @param webhookNowMs the clock of the replica that is called, or undefined if none answers.
 * @param refused holders whose requests nobody may create, because of a quota or a foreign webhook.
 */
export function admitAs(
  webhookNowMs: () => number | undefined,
  refused: ReadonlySet<unknown>,
): (review: Review) => Json {
  return ({ resource, user, operation, object, old, subresource }) => {
    const isOurs = resource === LEASE_REQUESTS || resource === LEASES;
    if (
      resource === LEASE_REQUESTS &&
      operation === "CREATE" &&
      refused.has(record(object["spec"])["holder"])
    )
      throw new Refused(403, "exceeded quota: count/leaserequests.konductor.io");
    if (!isOurs || PASS.includes(user) || subresource !== undefined) return object;
    const isOwn = record(old?.["spec"])["requestedBy"] === user;
    if (resource === LEASE_REQUESTS && operation !== "CREATE" && !isOwn && user !== ADMIN)
      throw new Refused(403, "the LeaseRequest belongs to somebody else");
    if (operation === "DELETE") return object;
    const nowMs = webhookNowMs();
    if (nowMs === undefined) throw new Refused(500, 'failed calling webhook "requests.konductor.io"');
    try {
      const call = { operation, username: user, oldObject: old };
      return resource === LEASES
        ? stampPause(record(admitDoneWork(admitLease(object, call).object, call, nowMs).object), call, nowMs)
        : stampRequest(object, call, nowMs);
    } catch (error) {
      if (!(error instanceof KonductorError)) throw error;
      throw new Refused(error.code === "Forbidden" ? 403 : 422, error.message);
    }
  };
}
