/** The workloads: each lane creates a new Job whenever its last one has ended. */
import { JOBS } from "../../src/kube/resources.ts";
import type { Clock } from "../../src/shared/clock.ts";
import { hasCode } from "../../src/shared/errors.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "../e2e/environment.ts";
import type { Recorder } from "./recorder.ts";
import { type Lane, laneJob } from "./workloads.ts";

export interface LanesOptions {
  environment: Pick<Environment, "client" | "journal">;
  namespace: string;
  guard: boolean;
  recorder: Recorder;
  clock: Clock;
  /** When this signal aborts, every wait ends. */
  ends: AbortSignal;
}

/** While konductor or the API server is away, the creation of a Job is refused. */
const CREATED_WITHIN_MS = 300_000;
const ENDED_WITHIN_MS = 3_600_000;

/** Resolves, once `signal` has aborted, when no further Job will be created. Jobs that exist go on. Rejects when `ends` aborts. */
export async function runLanes(
  lanes: readonly Lane[],
  options: LanesOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(lanes.map((lane) => runLane(lane, options, signal)));
}

async function runLane(lane: Lane, options: LanesOptions, signal: AbortSignal): Promise<void> {
  const { environment, namespace, guard, recorder, clock, ends } = options;
  const abort = () => ends.throwIfAborted();
  const journal = environment.journal(lane.lease.name);
  for (let generation = 0; !signal.aborted; generation++) {
    await clock.sleep(generation === 0 ? lane.startsAfterMs : lane.pauseMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    const object = laneJob(lane, { namespace, journal, generation, guard });
    const { name } = object.metadata;
    await waitFor({
      what: `Job ${name} to be created`,
      withinMs: CREATED_WITHIN_MS,
      everyMs: 500,
      abort,
      holds: () => create(environment, object),
    });
    recorder.expectJob({ name, lease: lane.lease.name, completions: lane.completions });
    await waitFor({
      what: `Job ${name} to end`,
      withinMs: ENDED_WITHIN_MS,
      everyMs: 250,
      abort,
      holds: async () => signal.aborted || recorder.hasEnded(name),
    });
  }
}

async function create({ client }: Pick<Environment, "client">, object: object): Promise<boolean> {
  try {
    await client.create(JOBS, object);
  } catch (error) {
    // An earlier try got no answer, but did create the Job.
    if (!hasCode(error, "AlreadyExists")) throw error;
  }
  return true;
}
