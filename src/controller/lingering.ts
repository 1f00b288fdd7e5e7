import type { Situation } from "../lease/decision.ts";
import { lastSeen } from "../lease/evidence.ts";
import { podsOf } from "../lease/hold.ts";
import { lingeringContainers } from "../lease/proof.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/** Containers of one pod seldom end in the same moment: only a sidecar that does not end by itself is worth an event. */
const TELL_AFTER_MS = 60_000;
const REMEMBERED_PODS = 10_000;

/**
 * Tells, once for each hold of a pod, which containers keep it although others of the pod have ended for good. Returns how long until the
 * next look; undefined: when something changes.
 */
export type TellLingering = (situation: Situation) => number | undefined;

export function createLingering({
  reporter,
  clock,
}: {
  reporter: Pick<LeaseReporter, "holderLingers">;
  clock: Pick<Clock, "monotonicMs">;
}): TellLingering {
  const seen = new LruMap<string, { sinceMs: number; isTold: boolean }>(REMEMBERED_PODS);
  return ({ lease, evidenceOf }) => {
    const { hold } = lease.status;
    let againInMs: number | undefined;
    for (const ref of hold ? podsOf(hold) : []) {
      const pod = lastSeen(evidenceOf(ref));
      const names = pod ? lingeringContainers(pod, hold?.token ?? Number.NaN) : [];
      if (!pod || names.length === 0 || pod.deletionMs !== undefined) continue;
      const key = `${ref.uid} ${hold?.token}`;
      const nowMs = clock.monotonicMs();
      const { sinceMs, isTold } = seen.get(key) ?? { sinceMs: nowMs, isTold: false };
      const leftMs = sinceMs + TELL_AFTER_MS - nowMs;
      seen.set(key, { sinceMs, isTold: isTold || leftMs <= 0 });
      if (leftMs > 0) againInMs = Math.min(leftMs, againInMs ?? leftMs);
      else if (!isTold) reporter.holderLingers(lease, pod, names);
    }
    return againInMs;
  };
}
