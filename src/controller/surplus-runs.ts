/**
 * Runs of a CronJob that wait beyond its `max-waiting`: the newest are too many.
 *
 * The cache may show who waits no more, so the runs before them are looked at live. A tenant may have thousands of them wait, and as many be
 * too many. So they are looked at one after the other, once for all runs that are too many, and no further than to one that waits no more.
 */
import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { canUseJob, isJobOver } from "../lease/job.ts";
import { compareAge, isWaiting } from "../lease/order.ts";
import { canUseGrant } from "../lease/pod.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import type { Settings } from "../lease/settings.ts";
import { keyOf, type Lease } from "../lease/types.ts";
import { findCronJobUid } from "../objects/job-completion.ts";
import { findJob, findPod, refKey } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { Errands } from "./errands.ts";
import type { JobClaim, UnrunJobs, Wish } from "./unrun-jobs.ts";

const REMEMBERED_JOBS = 50_000;
const REMEMBERED_CRON_JOBS = 10_000;

/** A Job that waits and may be skipped, by the request of its own or of one of its pods. */
export interface WaitingRun extends JobClaim {
  settings: Settings;
}

export interface SurplusRun {
  run: WaitingRun;
  /** Whether enough others still wait before it, by live looks. Rejects if one of them fails. */
  isStill(): Promise<boolean>;
}

export interface SurplusRuns {
  /** The newest of `waiting`, beyond the max-waiting of their CronJob. None is too many for a Lease that could be granted at once. */
  find(lease: Lease, waiting: readonly WaitingRun[]): Promise<SurplusRun[]>;
}

/** The runs of one CronJob that may wait, the oldest first. */
interface Line {
  add(run: WaitingRun): void;
  has(run: WaitingRun): boolean;
  length(): number;
  /** Whether the first `many` still wait, by live looks, each of which is made once. */
  stillWait(many: number): Promise<boolean>;
}

export interface SurplusRunsOptions {
  client: KubeClient;
  errands: Errands;
  unrunJobs: Pick<UnrunJobs, "mayEnd" | "isSettled">;
  clock: Clock;
}

export function createSurplusRuns({ client, errands, unrunJobs, clock }: SurplusRunsOptions): SurplusRuns {
  /** CronJobs by the {@link refKey} of their Job; a Job keeps its owner. */
  const cronJobs = new LruMap<string, { uid: string | undefined }>(REMEMBERED_JOBS);
  /** By Lease and CronJob: the uid of the request that was last found not to wait. It is looked at first from then on. */
  const doubted = new LruMap<string, string>(REMEMBERED_CRON_JOBS);

  async function findCronJobs(lease: Lease, waiting: readonly WaitingRun[]): Promise<void> {
    const unknown = new Map(waiting.map(({ job }) => [refKey(job), job]));
    for (const id of unknown.keys()) if (cronJobs.get(id)) unknown.delete(id);
    await errands.runEach([...unknown], ([id, job]) =>
      errands.run({ key: keyOf(lease), what: "find CronJob", uid: id }, async () =>
        cronJobs.set(id, { uid: await findCronJobUid(client, job) }),
      ),
    );
  }

  async function stillWaits(lease: Lease, { request, job, settings }: WaitingRun): Promise<boolean> {
    const { ref } = request.spec;
    const live = await find(client, LEASE_REQUESTS, request, parseLeaseRequest);
    if (!ref || live?.uid !== request.uid || !isWaiting(live)) return false;
    const itself = await findJob(client, job);
    const mayEnd = unrunJobs.mayEnd(lease, job, skipWish(settings), itself);
    if (!mayEnd || !itself || isJobOver(itself)) return false;
    if (ref.kind === "Job") return canUseJob(itself);
    const pod = await findPod(client, { namespace: request.namespace, ...ref });
    return !itself.suspended && pod !== undefined && canUseGrant(pod);
  }

  function createLine(lease: Lease, cronJob: string): Line {
    const id = `${keyOf(lease)} ${cronJob}`;
    const runs: WaitingRun[] = [];
    const jobs = new Set<string>();
    /** By place: whether the run there still waits; and whether it and all before it do. */
    const answers = new Map<number, Promise<boolean>>();
    const answersUpTo: Promise<boolean>[] = [];
    let doubtedPlace = Number.POSITIVE_INFINITY;

    async function look(run: WaitingRun | undefined): Promise<boolean> {
      if (!run) return false;
      const waits = await stillWaits(lease, run);
      if (!waits) doubted.set(id, run.request.uid);
      return waits;
    }

    function answerAt(place: number): Promise<boolean> {
      const answer = answers.get(place) ?? look(runs[place]);
      answers.set(place, answer);
      return answer;
    }

    return {
      add(run) {
        if (run.request.uid === doubted.get(id)) doubtedPlace = runs.length;
        runs.push(run);
        jobs.add(run.job.uid);
      },
      has: ({ job }) => jobs.has(job.uid),
      length: () => runs.length,
      async stillWait(many) {
        if (doubtedPlace < many && !(await answerAt(doubtedPlace))) return false;
        for (let place = answersUpTo.length; place < many; place++) {
          const before = answersUpTo[place - 1] ?? Promise.resolve(true);
          answersUpTo.push(before.then((wait) => wait && answerAt(place)));
        }
        return answersUpTo[many - 1] ?? true;
      },
    };
  }

  return {
    async find(lease, all) {
      const waiting = all.filter(({ job, settings }) => !unrunJobs.isSettled(lease, job, skipWish(settings)));
      const jobs = new Set(waiting.map(({ job }) => job.uid));
      const fewest = waiting.reduce((least, { settings }) => Math.min(least, settings.maxWaiting), jobs.size);
      if ((!lease.status.hold && !heldBack(lease, clock.nowMs())) || jobs.size <= fewest) return [];
      await findCronJobs(lease, waiting);
      const lines = new Map<string, Line>();
      const tooMany: SurplusRun[] = [];
      for (const run of [...waiting].sort((a, b) => compareAge(a.request, b.request))) {
        const cronJob = cronJobs.get(refKey(run.job))?.uid;
        if (cronJob === undefined) continue;
        const line = lines.get(cronJob) ?? createLine(lease, cronJob);
        lines.set(cronJob, line);
        if (line.has(run)) continue;
        const before = line.length();
        if (before < run.settings.maxWaiting) line.add(run);
        else tooMany.push({ run, isStill: () => line.stillWait(before) });
      }
      return tooMany;
    },
  };
}

/** What a Job has to ask for to be skipped. */
export const skipWish = ({ ifHeld, maxWaiting }: Settings): Wish => ({ ifHeld, maxWaiting });
