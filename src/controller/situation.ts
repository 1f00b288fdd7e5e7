import type { HolderWishes, Seen, Situation } from "../lease/decision.ts";
import { isPast, isProven, lastSeen, wasStarted } from "../lease/evidence.ts";
import type { JobView } from "../lease/job.ts";
import { membersOf } from "../lease/judge-job.ts";
import { isScheduledLate } from "../lease/judge-pod.ts";
import type { PodView } from "../lease/pod.ts";
import { DEFAULT_START_TIMEOUT_MS } from "../lease/settings.ts";
import { type Hold, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import type { Clock } from "../shared/clock.ts";
import { defined } from "../shared/json.ts";
import type { Errands } from "./errands.ts";
import type { EvidenceStore } from "./evidence-store.ts";
import type { HoldClock, HolderState } from "./hold-clock.ts";
import type { LapseClock } from "./lapse-clock.ts";
import type { LiveRequests } from "./live-requests.ts";
import { countUnrecorded, overdueOf } from "./unrecorded-holders.ts";

export interface SituationSources {
  lease: Lease;
  requests: readonly LeaseRequest[];
  caches: Pick<Caches, "nodes" | "pods">;
  evidence: Pick<EvidenceStore, "evidenceOf" | "lookedAgoMs">;
  errands: Pick<Errands, "isStuck">;
  liveRequests: Pick<LiveRequests, "isGone" | "lookedAgoMs">;
  holdClock: HoldClock;
  lapseClock: LapseClock;
  clock: Clock;
}

/** Everything that `decide()` looks at, as this replica sees it now. */
export function readSituation(sources: SituationSources): Situation {
  const { lease, requests, caches, evidence, errands, liveRequests, holdClock, lapseClock, clock } = sources;
  const key = keyOf(lease);
  const isStuck: Situation["isStuck"] = (what, uid) => errands.isStuck({ key, what, ...defined({ uid }) });
  const { hold } = lease.status;
  const evidenceOf: Situation["evidenceOf"] = (ref) => evidence.evidenceOf(lease.namespace, ref);
  const holder = hold && hold.ref.kind !== "LeaseRequest" ? evidenceOf(hold.ref) : undefined;
  if (hold && holder) holdClock.observeHolder(lease, stateOf(hold, evidenceOf, isStuck));
  const left = { caches, evidenceOf, lapseClock };
  const unrecordedHolders = countUnrecorded(lease, requests, left);
  return {
    lease,
    requests,
    evidenceOf,
    lookedAgoMs: (uid) => Math.min(evidence.lookedAgoMs(uid), liveRequests.lookedAgoMs(uid)),
    isStuck,
    isRequestGone: liveRequests.isGone,
    stoppingForMs: (pod) => holdClock.stoppingForMs(lease, pod),
    isNodeReady: (node) => caches.nodes.store.get(node)?.ready === true,
    unrecordedHolders,
    ...defined({
      overdueHolders: unrecordedHolders > 0 ? overdueOf(lease, requests, left, clock.nowMs()) : undefined,
    }),
    timers: holdClock.timers(lease),
    wishes: wishesOf(holder?.is === "job" ? holder.job : holder && lastSeen(holder)),
    nowMs: clock.nowMs(),
  };
}

function stateOf(
  hold: Hold,
  evidenceOf: Situation["evidenceOf"],
  isStuck: Situation["isStuck"],
): HolderState {
  const holder = evidenceOf(hold.ref);
  const known: Seen[] = hold.pods ? membersOf({ evidenceOf }, hold) : [{ pod: hold.ref, evidence: holder }];
  const running = known.filter(({ evidence }) => !isProven(evidence, hold.token));
  const isEnding = ({ evidence }: Seen) => lastSeen(evidence)?.deletionMs !== undefined || isPast(evidence);
  const isOutOfReach = (seen: Seen) =>
    !isEnding(seen) && (isStuck("deletePod", seen.pod.uid) || isStuck("look", seen.pod.uid));
  return {
    isEnding: running.every((seen) => isEnding(seen) || isOutOfReach(seen)),
    isOutOfReach: running.some(isOutOfReach),
    isIdle: !running.some(({ evidence }) => wasStarted(evidence, hold.token)),
    isAnswerable: holder.is === "unknown" ? undefined : !isScheduledLate(holder),
  };
}

function wishesOf(claimant: PodView | JobView | undefined): HolderWishes {
  const read = claimant?.settings;
  if (!read?.ok) return { startTimeoutMs: DEFAULT_START_TIMEOUT_MS, continueOnLoss: false };
  const { startTimeoutMs, onLost, maxHoldMs, maxRestarts } = read.settings;
  return { startTimeoutMs, continueOnLoss: onLost === "continue", ...defined({ maxHoldMs, maxRestarts }) };
}
