/**
 * Judges a history. Proves, as far as both witnesses saw, that
 * - no two mains of one klease ran at once, except pods of one Job under one hold; killed mains are included; and no claimant was granted while
 *   another's main lived;
 * - every main ran under a hold of its own pod or of its pod's Job, and no hold was given twice;
 * - tokens rose with every grant, and no grant went unseen;
 * - no healthy holder was fenced: a fault had kept each fenced holder's renewals from every replica;
 * - every Job either completed, its mains having run to their end, or failed after a fault that may have been the cause.
 *
 * Limits: signs of life come every 100 ms, so a shorter overlap can stay hidden. What happened between two seen versions of a klease's status is
 * known only from its history, which has the last 10 holds.
 */
import { overlaps } from "../e2e/journal.ts";
import { findNeedless, lossesOf } from "./fences.ts";
import { type Grant, grantsOf, isPodOf, isUnder } from "./grants.ts";
import { at, type FaultRecord, type History, type JobRecord, type WorkloadRun } from "./history.ts";
import { type Idleness, longestIdleness } from "./idleness.ts";

export type Rule = "overlap" | "early grant" | "no hold" | "token" | "fence" | "liveness";

export interface Violation {
  rule: Rule;
  lease: string;
  sentence: string;
}

export interface Verdict {
  violations: readonly Violation[];
  holds: readonly Grant[];
  mains: number;
  completedJobs: number;
  /** Jobs that failed after a fault that may have been the cause. */
  failedJobs: number;
  /** Holders that were stopped because they could not renew. */
  losses: number;
  /** undefined: no klease was ever free while a claimant waited. */
  idleness: Idleness | undefined;
}

/** Grants are stamped by the wall clock. It and the journals are read in steps of up to 10 ms each. */
const CLOCK_SLACK_MS = 50;
/** How long after a fault is healed a Job may still fail by it: a fenced pod needs its turn again before it can report that. */
const EFFECT_LASTS_MS = 60_000;

export function checkHistory(history: History): Verdict {
  const leases = new Set([...history.runs, ...history.sightings].map(({ lease }) => lease));
  const violations: Violation[] = [];
  const holds: Grant[] = [];
  let losses = 0;
  for (const lease of leases) {
    const of = <T extends { lease: string }>(all: readonly T[]) => all.filter((each) => each.lease === lease);
    const grants = grantsOf(of(history.sightings));
    const runs = of(history.runs)
      .map((run) => withToken(run, grants))
      .toSorted((a, b) => a.fromMs - b.fromMs);
    holds.push(...grants);
    const say = (rule: Rule) => (sentence: string) => violations.push({ rule, lease, sentence });
    findOverlaps(runs).forEach(say("overlap"));
    findBadTokens(grants).forEach(say("token"));
    findUnheld(runs, grants).forEach(say("no hold"));
    findEarlyGrants(runs, grants).forEach(say("early grant"));
    const lost = lossesOf(runs, grants, of(history.fences));
    losses += lost.length;
    lost.flatMap((loss) => findNeedless(loss, history.faults) ?? []).forEach(say("fence"));
  }
  const judged = history.jobs.map((job) => ({ job, sentence: findNeglect(job, history) }));
  for (const { job, sentence } of judged) {
    if (sentence) violations.push({ rule: "liveness", lease: job.lease, sentence });
  }
  for (const { lease, holder } of history.leftovers)
    violations.push({
      rule: "liveness",
      lease,
      sentence: `${holder} still holds it, and nobody works any more`,
    });
  const ended = (result: JobRecord["result"]) =>
    judged.filter(({ job, sentence }) => !sentence && job.result === result).length;
  return {
    violations,
    holds,
    mains: history.runs.length,
    completedJobs: ended("Complete"),
    failedJobs: ended("Failed"),
    losses,
    idleness: longestIdleness(history),
  };
}

/**
 * A keeper that fences removes the token file before the kubelet stops main. A main that is restarted in place in between finds no token: it counts
 * under the hold that its pod still has.
 */
function withToken(run: WorkloadRun, grants: readonly Grant[]): WorkloadRun {
  if (run.token !== undefined) return run;
  const own = grants.findLast((each) => isUnder(run, each) && each.acquiredMs <= run.fromMs);
  const isOver = own?.endedMs !== undefined && own.endedMs < run.fromMs;
  return own && !isOver ? { ...run, token: own.token } : run;
}

function findOverlaps(runs: readonly WorkloadRun[]): string[] {
  const isShared = ([a, b]: [WorkloadRun, WorkloadRun]) =>
    a.token !== undefined && a.token === b.token && a.by !== b.by;
  return overlaps(runs)
    .filter((pair) => !isShared(pair))
    .map(([a, b]) => {
      const togetherMs = Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs);
      return `${nameOf(a)} and ${nameOf(b)} ran together for ${Math.round(togetherMs)} ms from ${at(b.fromMs)} on`;
    });
}

function findBadTokens(grants: readonly Grant[]): string[] {
  return grants.flatMap((grant, index) => {
    const before = grants[index - 1];
    if (!before) return [];
    const { token, holder, acquiredMs } = grant;
    if (token === before.token)
      return [
        `token ${token} was given to ${before.holder} at ${at(before.acquiredMs)} and to ${holder} at ${at(acquiredMs)}`,
      ];
    if (acquiredMs < before.acquiredMs)
      return [
        `${holder} got token ${token} at ${at(acquiredMs)}, before ${before.holder} got ${before.token} at ${at(before.acquiredMs)}`,
      ];
    if (before.endedMs !== undefined && acquiredMs < before.endedMs)
      return [
        `${holder} was granted token ${token} at ${at(acquiredMs)}, before the hold of ${before.holder} (${before.token}) ended at ${at(before.endedMs)}`,
      ];
    // Each grant adds one, so a gap is a grant that was not seen.
    if (token > before.token + 1)
      return [`nobody was seen to get the tokens between ${before.token} and ${token}`];
    return [];
  });
}

function findUnheld(runs: readonly WorkloadRun[], grants: readonly Grant[]): string[] {
  return runs.flatMap((run) => {
    if (run.token === undefined) return [`${nameOf(run)} ran from ${at(run.fromMs)} on without a hold`];
    const grant = grants.find((each) => each.token === run.token && isUnder(run, each));
    if (!grant) return [`${nameOf(run)} ran from ${at(run.fromMs)} on, and was never granted that token`];
    if (run.fromMs < grant.acquiredMs - CLOCK_SLACK_MS)
      return [
        `${nameOf(run)} ran from ${at(run.fromMs)} on, before it was granted that token at ${at(grant.acquiredMs)}`,
      ];
    return [];
  });
}

function findEarlyGrants(runs: readonly WorkloadRun[], grants: readonly Grant[]): string[] {
  return runs.flatMap((run) => {
    const next = grants.find(({ token }) => run.token !== undefined && token > run.token);
    if (!next || run.toMs <= next.acquiredMs + CLOCK_SLACK_MS) return [];
    return [
      `${next.holder} was granted token ${next.token} at ${at(next.acquiredMs)}, while ${nameOf(run)} lived until ${at(run.toMs)}`,
    ];
  });
}

/** Why a Job's end shows that a workload was forgotten, or undefined. */
function findNeglect(job: JobRecord, { runs, faults }: History): string | undefined {
  const { name, completions, result } = job;
  if (result === undefined) return `Job ${name} never came to its end`;
  if (result === "Failed")
    return faults.some((fault) => mayHaveFailed(fault, job))
      ? undefined
      : `Job ${name} failed, and no fault had hit it`;
  const ended = new Set(runs.filter(({ by, ended }) => ended && isPodOf(by, job)).map(({ by }) => by));
  return ended.size < completions
    ? `Job ${name} is Complete, and ${ended.size} of its ${completions} mains ran to their end`
    : undefined;
}

function mayHaveFailed({ pods, fromMs, toMs }: FaultRecord, job: JobRecord): boolean {
  if (pods) return pods.some((pod) => isPodOf(pod, job));
  return fromMs <= (job.endedMs ?? Number.POSITIVE_INFINITY) && toMs + EFFECT_LASTS_MS >= job.createdMs;
}

function nameOf({ by, token }: WorkloadRun): string {
  return token === undefined ? by : `${by} (token ${token})`;
}
