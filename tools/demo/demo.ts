/** The demo itself: applies the examples, starts runs that compete for a klease, and judges what they wrote. */
import { collectionPath } from "../../src/kube/paths.ts";
import { CRON_JOBS, JOBS } from "../../src/kube/resources.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { createLogger } from "../../src/shared/log.ts";
import { waitFor } from "../../test/cluster/wait.ts";
import { type Audience, startAudience } from "./audience.ts";
import type { Exercise } from "./exercise.ts";
import { DEMO_NAMESPACE, type Place } from "./place.ts";
import { createTimeline, formatTime, type Tell } from "./timeline.ts";
import { formatRuns, judge } from "./verdict.ts";

export interface DemoOptions {
  place: Place;
  exercises: readonly Exercise[];
  guard: boolean;
  out: { write(text: string): unknown };
  colours: boolean;
}

const MINUTE_MS = 60_000;
/** If the schedule starts a run within this time, the demo waits for that run, too. */
const PATIENCE_MS = 45_000;
/** The delay that the schedule may have. */
const SCHEDULE_SLACK_MS = 15_000;
const STARTS_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 180_000;

/** Runs the examples and resolves with whether no two runs of one klease overlapped. Rejects if the demo cannot tell, or if `signal` aborts. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<boolean> {
  const { place, exercises, guard, out, colours } = options;
  const clock = systemClock();
  const tell = createTimeline({ write: (text) => out.write(text), colours, nowMs: clock.nowMs });
  const following = new AbortController();
  const logger = createLogger({ level: "error" });
  out.write(
    `\nIn ${place.description}, namespace ${DEMO_NAMESPACE}, ${guard ? "" : "WITHOUT the label of "}these examples:\n`,
  );
  for (const { file, kind, name, lease } of exercises)
    out.write(`  examples/${file}: ${kind} ${name}, klease ${lease}\n`);
  out.write("\n");
  try {
    await waitForAdmission(options, signal);
    const audience = await startAudience(
      { place, namespace: DEMO_NAMESPACE, exercises, tell, clock, logger },
      AbortSignal.any([signal, following.signal]),
    );
    await Promise.all(
      exercises.map((exercise) => perform({ exercise, place, audience, tell, nowMs: clock.nowMs })),
    );
    await audience.until("every run to end", ENDS_WITHIN_MS, audience.isQuiet);
    return announceVerdict(options, audience);
  } finally {
    following.abort();
  }
}

/** konductor's pods may be Ready a second before every node's proxy routes its Service's connections to them. */
async function waitForAdmission({ place, exercises }: DemoOptions, signal: AbortSignal): Promise<void> {
  await waitFor({
    what: "the API server to reach konductor's webhook",
    withinMs: STARTS_WITHIN_MS,
    abort: () => signal.throwIfAborted(),
    async holds() {
      for (const { kind, object } of exercises) {
        const path = collectionPath(kind === "Job" ? JOBS : CRON_JOBS, DEMO_NAMESPACE);
        await place.client.raw("POST", `${path}?dryRun=All`, object, { signal });
      }
      return true;
    },
  });
}

interface Act {
  exercise: Exercise;
  place: Place;
  audience: Audience;
  tell: Tell;
  nowMs(): number;
}

/** Applies one exercise. Runs of a CronJob are also started by hand: one at once, and another during the first. */
async function perform({ exercise, place, audience, tell, nowMs }: Act): Promise<void> {
  const { name, kind, object } = exercise;
  if (kind === "Job") {
    await place.client.create(JOBS, object);
    return;
  }
  await place.client.create(CRON_JOBS, object);
  const untilDueMs = MINUTE_MS - (nowMs() % MINUTE_MS);
  const due = formatTime(nowMs() + untilDueMs);
  tell({
    exercise: name,
    subject: name,
    text: `CronJob created, its next run is due at ${due}`,
    tone: "dim",
  });
  const startByHand = (number: number) =>
    place.kubectl(
      "-n",
      DEMO_NAMESPACE,
      "create",
      "job",
      `${name}-by-hand-${number}`,
      `--from=cronjob/${name}`,
    );
  await startByHand(1);
  await audience.until(`a run of ${name} to start`, STARTS_WITHIN_MS, () =>
    audience.runs().some((run) => run.exercise === name),
  );
  await startByHand(2);
  if (untilDueMs <= PATIENCE_MS) {
    await audience.until(`the schedule to start a run of ${name}`, untilDueMs + SCHEDULE_SLACK_MS, () =>
      audience.jobs().some(({ origin, name: job }) => origin === "schedule" && job.startsWith(`${name}-`)),
    );
  }
  const ref = { namespace: DEMO_NAMESPACE, name };
  await place.client.patch(CRON_JOBS, ref, { spec: { suspend: true } }, { type: "merge" });
  tell({ exercise: name, subject: name, text: "CronJob suspended: no more runs by schedule", tone: "dim" });
}

function announceVerdict({ exercises, guard, out }: DemoOptions, audience: Audience): boolean {
  const runs = audience.runs();
  out.write(`\nBy what the workloads wrote themselves:\n${formatRuns(runs)}\n`);
  const verdicts = exercises.map(({ lease }) =>
    judge(
      lease,
      runs.filter((run) => run.lease === lease),
    ),
  );
  for (const { sentences } of verdicts) for (const sentence of sentences) out.write(`${sentence}\n`);
  if (verdicts.every(({ ok }) => ok)) return true;
  out.write(
    guard ? "\nFAILED\n" : "\nFAILED, as it must without the label: nothing made the runs take turns\n",
  );
  return false;
}
