import type { Caches } from "../kube/caches.ts";
import type { HolderWishes, Situation } from "../lease/decision.ts";
import { isPast, isProven, lastSeen, wasStarted } from "../lease/evidence.ts";
import type { JobView } from "../lease/job.ts";
import { membersOf } from "../lease/judge-job.ts";
import type { PodView } from "../lease/pod.ts";
import { DEFAULT_START_TIMEOUT_MS, readSettings } from "../lease/settings.ts";
import type { Hold, Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { defined } from "../shared/json.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import type { EvidenceStore } from "./evidence-store.ts";
import type { HoldClock, HolderState } from "./hold-clock.ts";
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
  const holder = hold && hold.ref.kind !== "LeaseRequest" ? evidenceOf(hold.ref) : undefined;
  if (hold && holder) holdClock.observeHolder(lease, stateOf(hold, evidenceOf));
  return {
    lease,
    requests,
    evidenceOf,
    isRequestGone: housekeeping.isRequestGone,
    isNodeReady: (node) => caches.nodes.store.get(node)?.ready === true,
    unrecordedHolders: countUnrecorded(lease, requests, { caches, evidenceOf, lapseClock }),
    timers: holdClock.timers(lease),
    wishes: wishesOf(holder?.is === "job" ? holder.job : holder && lastSeen(holder)),
    nowMs: clock.nowMs(),
  };
}

function stateOf(hold: Hold, evidenceOf: Situation["evidenceOf"]): HolderState {
  const known = hold.pods
    ? membersOf({ evidenceOf }, hold).map(({ evidence }) => evidence)
    : [evidenceOf(hold.ref)];
  const running = known.filter((evidence) => !isProven(evidence, hold.token));
  return {
    isEnding: running.every((known) => lastSeen(known)?.deletionMs !== undefined || isPast(known)),
    isIdle: !running.some((known) => wasStarted(known, hold.token)),
  };
}

function wishesOf(claimant: PodView | JobView | undefined): HolderWishes {
  const settings =
    claimant &&
    readSettings({ labels: { [LEASE_LABEL]: claimant.lease ?? "" }, annotations: claimant.annotations });
  return settings?.ok
    ? {
        startTimeoutMs: settings.settings.startTimeoutMs,
        continueOnLoss: settings.settings.onLost === "continue",
        ...defined({ maxHoldMs: settings.settings.maxHoldMs }),
      }
    : { startTimeoutMs: DEFAULT_START_TIMEOUT_MS, continueOnLoss: false };
}
