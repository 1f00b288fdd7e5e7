import type { Caches } from "../kube/caches.ts";
import type { HolderWishes, Situation } from "../lease/decide.ts";
import { isPast, lastSeen } from "../lease/evidence.ts";
import type { PodView } from "../lease/pod.ts";
import { DEFAULT_START_TIMEOUT_MS, readSettings } from "../lease/settings.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import type { EvidenceStore } from "./evidence-store.ts";
import type { HoldClock } from "./hold-clock.ts";
import type { Housekeeping } from "./housekeeping.ts";
import type { LapseClock } from "./lapse-clock.ts";
import { countUnrecorded } from "./unrecorded-holders.ts";

export interface SituationSources {
  lease: Lease;
  requests: readonly LeaseRequest[];
  caches: Caches;
  evidence: EvidenceStore;
  housekeeping: Housekeeping;
  holdClock: HoldClock;
  lapseClock: LapseClock;
  clock: Clock;
}

/** Everything that `decide()` looks at, as this replica sees it now. */
export function readSituation(sources: SituationSources): Situation {
  const { lease, requests, caches, evidence, housekeeping, holdClock, lapseClock, clock } = sources;
  const { hold } = lease.status;
  const evidenceOf: Situation["evidenceOf"] = (ref) => evidence.evidenceOf(lease.namespace, ref);
  const holder = hold?.ref.kind === "Pod" ? evidenceOf(hold.ref) : undefined;
  if (holder) {
    const isEnding = lastSeen(holder)?.deletionMs !== undefined || isPast(holder);
    holdClock.observeEnding(lease, isEnding);
  }
  return {
    lease,
    requests,
    evidenceOf,
    isRequestGone: housekeeping.isRequestGone,
    isNodeReady: (node) => caches.nodes.store.get(node)?.ready === true,
    unrecordedHolders: countUnrecorded(lease, requests, { caches, evidenceOf, lapseClock }),
    timers: holdClock.timers(lease),
    wishes: wishesOf(holder && lastSeen(holder)),
    nowMs: clock.nowMs(),
  };
}

function wishesOf(pod: PodView | undefined): HolderWishes {
  const settings =
    pod && readSettings({ labels: { [LEASE_LABEL]: pod.lease ?? "" }, annotations: pod.annotations });
  return settings?.ok
    ? {
        startTimeoutMs: settings.settings.startTimeoutMs,
        continueOnLoss: settings.settings.onLost === "continue",
      }
    : { startTimeoutMs: DEFAULT_START_TIMEOUT_MS, continueOnLoss: false };
}
