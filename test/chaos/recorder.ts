/** Keeps what the watch shows as a history, by the clock of the journals. */
import type { Lease, LeaseRequest } from "../../src/lease/types.ts";
import { bootMs, toBootMs } from "../e2e/boot-time.ts";
import type { JobRecord, Sighting, Wait } from "./history.ts";
import type { Watch } from "./watch.ts";

export interface Recorder {
  sightings(): Sighting[];
  /** Whoever waits still waits until now. */
  waits(): Wait[];
  /** Notes that a Job was asked for; the watch tells what becomes of it. */
  expectJob(job: Pick<JobRecord, "name" | "lease" | "completions">): void;
  hasEnded(job: string): boolean;
  jobs(): JobRecord[];
}

interface OpenWait extends Omit<Wait, "toMs"> {
  toMs?: number;
}

/** Subscribes to `watch`, which must not have started. */
export function createRecorder({
  leases,
  requests,
  jobs,
}: Pick<Watch, "leases" | "requests" | "jobs">): Recorder {
  const offsetMs = bootOffsetMs();
  const toBoot = (wallMs: number) => wallMs + offsetMs;
  const sightings = new Map<string, Sighting>();
  const waits = new Map<string, OpenWait>();
  const expected = new Map<string, JobRecord>();

  function see(sighting: Sighting): void {
    const { lease, token, holder, acquiredMs, endedMs } = sighting;
    sightings.set([lease, token, holder, acquiredMs, endedMs].join(" "), sighting);
  }

  leases.subscribe(({ object: { name: lease, status } }: { object: Lease }) => {
    const { hold, history } = status;
    if (hold) see({ lease, token: hold.token, holder: hold.holder, acquiredMs: toBoot(hold.acquiredMs) });
    for (const { token, holder, acquiredMs, endedMs, reason } of history)
      see({ lease, token, holder, acquiredMs: toBoot(acquiredMs), endedMs: toBoot(endedMs), reason });
  });

  requests.subscribe(({ type, object }: { type: string; object: LeaseRequest }) => {
    const { uid, spec, status } = object;
    const wait = waits.get(uid) ?? {
      lease: spec.lease,
      holder: spec.holder,
      fromMs: toBoot(spec.requestedAtMs),
    };
    if (type === "deleted" || status.phase !== "Pending") wait.toMs ??= bootMs();
    waits.set(uid, wait);
  });

  /** By name: the watch may know of a Job before whoever created it has its answer. */
  const outcomes = new Map<string, Pick<JobRecord, "endedMs" | "result">>();
  jobs.subscribe(({ object: { name, result } }) => {
    if (result && !outcomes.has(name)) outcomes.set(name, { result, endedMs: bootMs() });
  });

  /** A grant is known to the millisecond; that the request says so comes later. */
  function endOf({ lease, holder, fromMs, toMs = bootMs() }: OpenWait): number {
    const grants = [...sightings.values()].filter(
      (each) => each.lease === lease && each.holder === holder && each.acquiredMs >= fromMs,
    );
    return Math.min(toMs, ...grants.map(({ acquiredMs }) => acquiredMs));
  }

  return {
    sightings: () => [...sightings.values()],
    waits: () => [...waits.values()].map((wait) => ({ ...wait, toMs: endOf(wait) })),
    expectJob: (job) => expected.set(job.name, { ...job, createdMs: bootMs() }),
    hasEnded: (job) => outcomes.has(job),
    jobs: () => [...expected.values()].map((job) => ({ ...job, ...outcomes.get(job.name) })),
  };
}

const CLOCK_READINGS = 100;

/** What makes boot time of a time of day. A process that is held up between the two readings gets too little, never too much. */
function bootOffsetMs(): number {
  return Math.max(...Array.from({ length: CLOCK_READINGS }, () => toBootMs(0)));
}
