/** Notes the truth in each klease's status as it is written: grants, and ends of holds. */
import { isDeepStrictEqual } from "node:util";
import { ELECTION_LEASES, JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { parseDuration } from "../../src/lease/duration.ts";
import { ENDED_UNRUN, parseJob } from "../../src/lease/job.ts";
import type { DoneWork, Hold, Lease, LeaseRequest } from "../../src/lease/types.ts";
import { defined, list, record, text } from "../../src/shared/json.ts";
import { ANNOTATION } from "../../src/shared/names.ts";
import { KONDUCTOR } from "./admission.ts";
import type { Cluster } from "./api/cluster.ts";
import type { Json } from "./api/rules.ts";
import type { Note, Passed } from "./history.ts";
import { LEASE_NAME, metadataOf, NAMESPACE } from "./pod-object.ts";

/** Requests that are made within this time may be served in any order. */
const SAME_TIME_MS = 2_000;
/** How long a claimant is passed over that did not confirm a grant and cannot be told so. */
const PASSED_OVER_FOR_MS = 60_000;

/** How far two replicas' views of the time may differ. */
const CLOCK_STEP_MS = 1_000;

/** The fields whose changes matter, since renewals change a klease all the time. */
function wordsOf(lease: Json): unknown[] {
  const { phase, fencingToken, conditions } = record(lease["status"]);
  return [phase, fencingToken, ...list(conditions).map((condition) => record(condition)["reason"])];
}

const endOf = (job: Json, type: string) =>
  list(record(job["status"])["conditions"])
    .map(record)
    .find((condition) => condition["type"] === type);
const isSpared = (job: Json) => endOf(job, "SuccessCriteriaMet")?.["reason"] === ENDED_UNRUN.done;

const leaderIn = (election: unknown) => record(record(election)["spec"])["holderIdentity"];

export const claimOf = ({ ref, holder }: Hold) => (ref.kind === "LeaseRequest" ? holder : ref.uid);

export function witness(
  { store, scheduler }: Cluster,
  note: Note,
  {
    canUse,
    askedMs,
    renews,
  }: {
    canUse(request: LeaseRequest): boolean;
    askedMs: ReadonlyMap<string, number>;
    /** Whether the claimant wants its hold to be renewed. */
    renews(claim: string): boolean;
  },
): void {
  const changedMs = new Map<unknown, number>();
  const createdMs = new Map<string, number>();
  /** When each claimant's last grant was taken back for lack of a confirmation. */
  const takenBackMs = new Map<string, number>();
  /** Since when each claimant has waited for a grant, by any of its requests. Only a grant, a denial or a user's deletion ends the wait. */
  const waitsSinceMs = new Map<string, number>();
  /** The same for claimants that have been granted the klease. They keep waiting if the grant is taken back. */
  const waitedSinceMs = new Map<string, number>();

  function move(claimant: string, from: Map<string, number>, to: Map<string, number>): void {
    const sinceMs = from.get(claimant);
    from.delete(claimant);
    if (sinceMs === undefined) to.delete(claimant);
    else to.set(claimant, sinceMs);
  }

  /** The order, implemented again so as not to rely on the real comparator. */
  function isBefore(lease: Lease, a: LeaseRequest, b: LeaseRequest): boolean {
    const priorityOf = ({ spec }: LeaseRequest) => spec.priority ?? lease.spec.priority;
    if (priorityOf(a) !== priorityOf(b)) return priorityOf(a) > priorityOf(b);
    return (createdMs.get(a.uid) ?? 0) + SAME_TIME_MS < (createdMs.get(b.uid) ?? 0);
  }

  function passedBy(lease: Lease): Passed[] {
    const requests = store.list(LEASE_REQUESTS, NAMESPACE).map(parseLeaseRequest);
    const granted = requests.find(({ uid }) => uid === lease.status.lastRequest);
    if (!granted) return [];
    const nowMs = scheduler.nowMs();
    return requests
      .filter((request) => request !== granted && isBefore(lease, request, granted))
      .filter(({ status, terminating }) => status.phase === "Pending" && !status.reason && !terminating)
      .filter(({ spec }) => (spec.waitUntilMs ?? Number.POSITIVE_INFINITY) > nowMs)
      .filter(canUse)
      .filter(({ spec }) => !lease.status.done?.some(({ key }) => key === spec.once))
      .map(({ uid, spec }) => {
        const sinceMs = [uid, spec.ref?.uid, lease.uid].map((id) => changedMs.get(id) ?? 0);
        return {
          who: spec.holder,
          readyForMs: nowMs - Math.max(...sinceMs, passedOverUntilMs(uid, spec.ref?.uid)),
        };
      });
  }

  /** How long the claimant is passed over. A request that has not changed since has no mark that would make its gate ask again. */
  function passedOverUntilMs(uid: string, claimant = uid): number {
    const sinceMs = takenBackMs.get(claimant) ?? 0;
    return sinceMs > (changedMs.get(uid) ?? 0) ? sinceMs + PASSED_OVER_FOR_MS : 0;
  }

  function isHolder(claimant: string): boolean {
    const lease = store.find(LEASES, { namespace: NAMESPACE, name: LEASE_NAME });
    return lease !== undefined && parseLease(lease).status.hold?.ref.uid === claimant;
  }

  /** A client's TimedOut is the client's own. */
  function noteTimeout({ ref }: LeaseRequest["spec"], sinceMs = 0): void {
    if (ref?.kind !== "Pod") return;
    const { uid, annotations } = metadataOf(store.find(PODS, { namespace: NAMESPACE, name: ref.name }));
    const timeout = text(record(annotations)[ANNOTATION.waitTimeout]);
    if (uid === ref.uid && timeout !== undefined)
      note({
        what: "timedOut",
        who: ref.name,
        timeoutMs: parseDuration(timeout),
        waitedMs: scheduler.nowMs() - sinceMs,
      });
  }

  /** By uid of the klease: when its last confirmed hold truly ended. */
  const endedMs = new Map<string, number>();

  /** Which rule of its owner holds `lease` back, implemented again. */
  function ruleAgainst({ uid, spec }: Lease): string | undefined {
    if (spec.paused) return "paused";
    const restedMs = scheduler.nowMs() - (endedMs.get(uid) ?? Number.NEGATIVE_INFINITY);
    return restedMs < (spec.minIntervalMs ?? 0) - CLOCK_STEP_MS
      ? `resting for ${spec.minIntervalMs} ms, after ${restedMs} ms`
      : undefined;
  }

  /** What the klease lists as done, as anybody reads it. */
  function compareDone(old: Lease, lease: Lease): void {
    const isIn = (of: Lease, { key, token }: DoneWork) =>
      of.status.done?.some((work) => work.key === key && work.token === token) ?? false;
    for (const work of old.status.done ?? [])
      if (!isIn(lease, work)) note({ what: "unnoted", key: work.key });
    for (const work of lease.status.done ?? [])
      if (!isIn(old, work)) note({ what: "noted", key: work.key, token: work.token });
  }

  function compare(old: Lease, lease: Lease): void {
    const [before, hold] = [old.status.hold, lease.status.hold];
    const isSame = before?.token === hold?.token;
    if (before && !isSame) {
      const how = lease.status.history[0]?.reason ?? "Released";
      note({ what: "lost", token: before.token, claim: claimOf(before), how });
      if (before.confirmed) endedMs.set(lease.uid, scheduler.nowMs());
      if (how === "NotConfirmed") {
        move(before.ref.uid, waitedSinceMs, waitsSinceMs);
        takenBackMs.set(before.ref.uid, scheduler.nowMs());
      }
    }
    if (hold && !isSame) {
      move(hold.ref.uid, waitsSinceMs, waitedSinceMs);
      const isRegrant = before?.ref.uid === hold.ref.uid;
      note({
        what: "granted",
        token: hold.token,
        claim: claimOf(hold),
        passed: isRegrant ? [] : passedBy(lease),
        ...defined({ against: isRegrant ? undefined : ruleAgainst(lease) }),
      });
      if (!lease.spec.renewable || !renews(claimOf(hold)))
        note({ what: "troubled", claim: claimOf(hold), why: "it is not renewable" });
    }
    if (!before || !hold || !isSame) return;
    const lost = (how: string) => note({ what: "lost", token: hold.token, claim: claimOf(hold), how });
    if (!before.expired && hold.expired) lost("Expiring");
    if (!before.revoked && hold.revoked) lost(hold.revoked);
  }

  store.onChange(({ type, user, resource, object, old, atMs }) => {
    if (resource === ELECTION_LEASES && leaderIn(object) && leaderIn(object) !== leaderIn(old))
      note({ what: "upset", by: "election" });
    const uid = String(metadataOf(object)["uid"]);
    if (resource === LEASE_REQUESTS) {
      const { spec, status } = parseLeaseRequest(object);
      const claimant = spec.ref?.uid ?? uid;
      if (type === "ADDED") {
        const sinceMs = waitsSinceMs.get(claimant) ?? askedMs.get(String(metadataOf(object)["name"])) ?? atMs;
        createdMs.set(uid, sinceMs);
        // A request that is put back for a holder does not wait.
        if (!isHolder(claimant)) waitsSinceMs.set(claimant, sinceMs);
      }
      if (old && status.reason === "TimedOut" && parseLeaseRequest(old).status.reason !== "TimedOut")
        noteTimeout(spec, waitsSinceMs.get(claimant));
      if (status.phase === "Denied" || (type === "DELETED" && user !== KONDUCTOR))
        for (const sinceMs of [waitsSinceMs, waitedSinceMs]) sinceMs.delete(claimant);
    }
    // Renewals change a klease all the time, so only changes of its spec count.
    const isSpec = resource === LEASES && metadataOf(object)["generation"] !== metadataOf(old)["generation"];
    if (isSpec || resource === LEASE_REQUESTS || resource === PODS) changedMs.set(uid, atMs);
    // Somebody else's deletion, of which the pod's kubelet may hear much later.
    const isDeleting = metadataOf(object)["deletionTimestamp"] !== undefined;
    if (
      resource === PODS &&
      isDeleting &&
      metadataOf(old)["deletionTimestamp"] === undefined &&
      user !== KONDUCTOR
    )
      note({ what: "troubled", claim: uid, why: "deleted" });
    if (resource === JOBS && old && endOf(object, "Complete") && !endOf(old, "Complete"))
      note({ what: "succeeded", claim: uid });
    if (resource === JOBS && old && isSpared(object) && !isSpared(old)) {
      const { name, settings } = parseJob(object);
      if (settings.ok) note({ what: "spared", who: name, key: settings.settings.once ?? "" });
    }
    if (resource !== LEASES || !old) return;
    if (type === "MODIFIED") compareDone(parseLease(old), parseLease(object));
    else for (const { key } of parseLease(old).status.done ?? []) note({ what: "unnoted", key });
    if (type === "MODIFIED" && isDeepStrictEqual(wordsOf(old), wordsOf(object))) return;
    const before = parseLease(old);
    if (type === "MODIFIED") return compare(before, parseLease(object));
    const { hold } = before.status;
    if (hold) note({ what: "lost", token: hold.token, claim: claimOf(hold), how: "Deleted" });
  });
}
