/**
 * Notes when it is proved that work which is done once has succeeded, as anybody may read it, and when that proof is taken away: implemented
 * again, so as not to rely on the real judges.
 */
import { JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { ENDED_UNRUN } from "../../src/lease/job.ts";
import type { Hold } from "../../src/lease/types.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { EXIT, GATE_CONTAINER, KEEPER_CONTAINER, passedToken } from "../../src/shared/names.ts";
import type { Cluster } from "./api/cluster.ts";
import type { Json } from "./api/rules.ts";
import type { Note } from "./history.ts";
import { LEASE_NAME, metadataOf, NAMESPACE, phaseOf } from "./pod-object.ts";

/** What is proof in an object of each kind that may hold. */
const PROVES: ReadonlyMap<unknown, (object: Json, hold: Hold) => boolean> = new Map([
  [PODS, provesPod],
  [JOBS, provesJob],
  [LEASE_REQUESTS, (request: Json, { token }: Hold) => parseLeaseRequest(request).spec.succeeded === token],
]);

export function witnessProofs({ store }: Cluster, note: Note): void {
  store.onChange(({ type, resource, object }) => {
    const proves = PROVES.get(resource);
    if (!proves) return;
    const { uid, deletionTimestamp } = metadataOf(object);
    const found = store.find(LEASES, { namespace: NAMESPACE, name: LEASE_NAME });
    const hold = found && parseLease(found).status.hold;
    if (hold?.ref.uid !== uid || hold?.once === undefined) return;
    const { token, once: key, holder, confirmed, expired, revoked } = hold;
    if (type === "DELETED" || deletionTimestamp !== undefined) note({ what: "unproved", token });
    else if (confirmed && !expired && !revoked && proves(object, hold))
      note({ what: "proved", who: holder, token, key });
  });
}

function provesPod(pod: Json, { token }: Hold): boolean {
  const ended = (name: string) => {
    const containers = list(record(pod["status"])["initContainerStatuses"]).map(record);
    const state = record(containers.find((container) => container["name"] === name)?.["state"]);
    return record(state["terminated"]);
  };
  return (
    phaseOf(pod) === "Succeeded" &&
    passedToken(text(ended(GATE_CONTAINER)["message"])) === token &&
    ended(KEEPER_CONTAINER)["exitCode"] !== EXIT.fenced
  );
}

function provesJob(job: Json): boolean {
  const complete = list(record(job["status"])["conditions"])
    .map(record)
    .find(({ type }) => type === "Complete");
  return (
    complete !== undefined &&
    complete["reason"] !== ENDED_UNRUN.done &&
    complete["reason"] !== ENDED_UNRUN.held
  );
}
