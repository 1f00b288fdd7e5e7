/** Follows everything in the demo's namespace live and prints what happens; collects what the workloads wrote. */

import { createReflector } from "../../src/kube/reflector.ts";
import { JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { createTransport } from "../../src/kube/transport.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { keyOf } from "../../src/lease/types.ts";
import { BY_LEASE } from "../../src/objects/caches.ts";
import type { Clock } from "../../src/shared/clock.ts";
import { describeError } from "../../src/shared/errors.ts";
import type { Logger } from "../../src/shared/log.ts";
import { type Exercise, exerciseOf } from "./exercise.ts";
import { hasStarted, type JobPod, type JobView, parseJob, parseJobPod } from "./job-view.ts";
import type { Place } from "./place.ts";
import { createQueueStory } from "./queue-story.ts";
import { formatSeconds, type Tell } from "./timeline.ts";
import type { DemoRun } from "./verdict.ts";
import { followMarks, type Mark } from "./workload-log.ts";

export interface Audience {
  jobs(): JobView[];
  /** Every run of a main container so far. */
  runs(): DemoRun[];
  /** Whether every Job and pod has ended, every klease is free and every log was read. */
  isQuiet(): boolean;
  /** Resolves as soon as `holds` returns true. Rejects after `withinMs`, or if the demo is ended. */
  until(what: string, withinMs: number, holds: () => boolean): Promise<void>;
}

export interface AudienceOptions {
  place: Pick<Place, "client" | "kubeConfig">;
  namespace: string;
  exercises: readonly Exercise[];
  tell: Tell;
  clock: Clock;
  logger: Logger;
}

const ORIGIN = { schedule: "started by the schedule", hand: "started by hand", file: "created" } as const;

/** Resolves when every existing object is listed. Follows changes until `signal` aborts. */
export async function startAudience(options: AudienceOptions, signal: AbortSignal): Promise<Audience> {
  const { place, namespace, exercises, tell, clock, logger } = options;
  const common = { client: place.client, namespace, clock, logger };
  const leases = createReflector({ ...common, resource: LEASES, parse: parseLease });
  const requests = createReflector({
    ...common,
    resource: LEASE_REQUESTS,
    parse: parseLeaseRequest,
    indexers: { [BY_LEASE]: ({ spec }) => spec.lease },
  });
  const pods = createReflector({ ...common, resource: PODS, parse: parseJobPod });
  const jobs = createReflector({ ...common, resource: JOBS, parse: parseJob });
  const transport = createTransport({ kubeConfig: place.kubeConfig, userAgent: "konductor-demo", clock });
  const runs = new Map<string, DemoRun>();
  const reading = new Set<string>();
  const waiters = new Set<() => void>();
  const exerciseName = (lease: string) => exercises.find((each) => each.lease === lease)?.name ?? "";
  const story = createQueueStory({ exerciseName, tell });

  function changed(): void {
    for (const check of [...waiters]) check();
  }

  function tellQueue(name: string): void {
    const lease = leases.store.get(keyOf({ namespace, name }));
    if (lease) story.update(lease, requests.store.byIndex(BY_LEASE, name));
  }

  function tellJob({ name, origin, ended }: JobView, endedBefore: JobView["ended"]): void {
    const exercise = exerciseOf(exercises, name)?.name ?? "";
    const say = (text: string, tone: "dim" | "red") => tell({ exercise, subject: name, text, tone });
    if (!ended) say(`Job ${ORIGIN[origin]}`, "dim");
    if (ended === "Failed" && !endedBefore) say("Job failed", "red");
  }

  function hear(run: DemoRun, { event, atMs }: Mark): void {
    const { exercise, by: subject } = run;
    if (event === "start") {
      run.fromMs = run.toMs = atMs;
      tell({ exercise, subject, text: "main runs", tone: "green" });
    } else {
      run.toMs = atMs;
      run.ended = Number.isFinite(run.fromMs);
      tell({
        exercise,
        subject,
        text: `main ended after ${formatSeconds(atMs - run.fromMs)}`,
        tone: "green",
      });
    }
  }

  async function read(pod: JobPod, exercise: Exercise): Promise<void> {
    const run: DemoRun = {
      by: pod.name,
      exercise: exercise.name,
      lease: exercise.lease,
      waitedMs: undefined,
      fromMs: Number.NaN,
      toMs: Number.NaN,
      ended: false,
    };
    runs.set(pod.uid, run);
    reading.add(pod.uid);
    const container = pod.main.at(-1)?.name ?? "";
    try {
      for await (const mark of followMarks(transport, { namespace, pod: pod.name, container }, signal)) {
        hear(run, mark);
      }
    } catch (error) {
      if (!signal.aborted)
        tell({ exercise: exercise.name, subject: pod.name, text: describeError(error), tone: "red" });
    }
    reading.delete(pod.uid);
    changed();
  }

  leases.subscribe(({ object }) => tellQueue(object.name));
  requests.subscribe(({ object }) => tellQueue(object.spec.lease));
  jobs.subscribe(({ type, object, old }) => {
    if (type === "added" || object.ended) tellJob(object, old?.ended);
  });
  pods.subscribe(({ type, object }) => {
    const exercise = exerciseOf(exercises, object.job);
    if (type !== "deleted" && exercise && hasStarted(object) && !runs.has(object.uid))
      void read(object, exercise);
  });
  const reflectors = [leases, requests, pods, jobs];
  for (const each of reflectors) {
    each.subscribe(changed);
    each.start(signal);
  }
  signal.addEventListener("abort", () => void transport.close(), { once: true });
  await Promise.all(reflectors.map(({ synced }) => synced));

  return {
    jobs: () => jobs.store.list(),
    runs: () => [...runs.values()].map((run) => ({ ...run, waitedMs: story.waitedMs(run.by) })),
    isQuiet: () =>
      jobs.store.list().every(({ ended }) => ended) &&
      pods.store.list().every(({ phase }) => phase === "Succeeded" || phase === "Failed") &&
      leases.store.list().every(({ status }) => !status.hold) &&
      reading.size === 0,
    async until(what, withinMs, holds) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
      await new Promise<void>((resolve, reject) => {
        const check = () => {
          if (!holds()) return;
          waiters.delete(check);
          resolve();
        };
        waiters.add(check);
        deadline.addEventListener("abort", () => {
          waiters.delete(check);
          reject(signal.aborted ? signal.reason : new Error(`waited ${withinMs / 1_000} s for ${what}`));
        });
        check();
      });
    },
  };
}
