/** Notes who is let wait for a klease beyond its maxWaiting, and who is turned away although fewer wait. */
import { JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { canUseJob, parseJob } from "../../src/lease/job.ts";
import { canUseGrant, parsePod } from "../../src/lease/pod.ts";
import type { LeaseRequest } from "../../src/lease/types.ts";
import type { Cluster } from "./api/cluster.ts";
import type { Note } from "./history.ts";
import { LEASE_NAME, metadataOf, NAMESPACE } from "./pod-object.ts";

/** The time after which everybody has seen a change. */
const SEEN_AFTER_MS = 2_000;

interface Wait {
  request: LeaseRequest;
  sinceMs: number;
  untilMs?: number;
}

export function watchQueueLimit({ store, scheduler }: Cluster, note: Note): void {
  /** By uid: since when a request waits, and until when it did. */
  const waits = new Map<string, Wait>();

  function countBefore(own: LeaseRequest, counts: (wait: Wait) => boolean) {
    return [...waits.values()].filter(
      (wait) =>
        wait.request.uid !== own.uid &&
        wait.request.spec.requestedAtMs < own.spec.requestedAtMs &&
        counts(wait),
    ).length;
  }

  /** Who waits for it may be gone, or over, before its request shows that. */
  function canUse({ spec: { ref } }: LeaseRequest): boolean {
    if (!ref) return true;
    const found = store.find(ref.kind === "Pod" ? PODS : JOBS, { namespace: NAMESPACE, name: ref.name });
    if (!found || metadataOf(found)["uid"] !== ref.uid) return false;
    return ref.kind === "Pod" ? canUseGrant(parsePod(found)) : canUseJob(parseJob(found));
  }

  store.onChange(({ type, resource, object, atMs }) => {
    if (resource !== LEASE_REQUESTS) return;
    const request = parseLeaseRequest(object);
    const { uid, status, spec, terminating } = request;
    const before = waits.get(uid);
    const isOneTry = spec.waitUntilMs !== undefined && spec.waitUntilMs <= spec.requestedAtMs;
    if (type !== "DELETED" && status.phase === "Pending" && !terminating && !isOneTry)
      waits.set(uid, { request, sinceMs: before?.untilMs === undefined ? (before?.sinceMs ?? atMs) : atMs });
    else if (before) waits.set(uid, { ...before, untilMs: before.untilMs ?? atMs });
    const lease = store.find(LEASES, { namespace: NAMESPACE, name: LEASE_NAME });
    const { spec: rules, status: state } = parseLease(lease);
    const most = rules.maxWaiting;
    if (most === undefined) return;
    const nowMs = scheduler.nowMs();
    // Whoever waits again, after a grant that came to nothing, was let wait before.
    const isNewcomer =
      before !== undefined &&
      before.untilMs === undefined &&
      before.request.status.reason === undefined &&
      !before.request.status.mayWait;
    if (isNewcomer && status.mayWait && status.phase === "Pending") {
      const seen = countBefore(
        request,
        ({ request: earlier, sinceMs, untilMs }) =>
          earlier.uid !== state.lastRequest &&
          canUse(earlier) &&
          untilMs === undefined &&
          nowMs - sinceMs > SEEN_AFTER_MS,
      );
      if (seen >= most) note({ what: "crowded", who: spec.holder, before: seen, most });
    }
    if (status.phase !== "Denied" || status.reason !== "QueueFull" || before?.untilMs !== undefined) return;
    const known = countBefore(
      request,
      ({ untilMs }) => untilMs === undefined || nowMs - untilMs < SEEN_AFTER_MS,
    );
    if (known < most) note({ what: "turnedAway", who: spec.holder, before: known, most });
  });
}
