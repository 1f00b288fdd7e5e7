/** Records what the watch shows as a history, by the clock of the journals. */
import type { Hold, Lease, LeaseRequest } from "../../src/lease/types.ts";
import { KEEPER_CONTAINER } from "../../src/shared/names.ts";
import { bootMs, toBootMs } from "../e2e/boot-time.ts";
import type { Fence, JobRecord, ReadyTime, Sighting, Wait } from "./history.ts";
import type { Watch } from "./watch.ts";

export interface Recorder {
  sightings(): Sighting[];
  /** A wait that is not over extends until now. */
  waits(): Wait[];
  fences(): Fence[];
  /** Ready times of replicas; that of a replica that is still Ready extends until now. */
  readyTimes(): ReadyTime[];
  /** Records that a Job was created; the watch shows what becomes of it. */
  expectJob(job: Pick<JobRecord, "name" | "lease" | "completions">): void;
  hasEnded(job: string): boolean;
  jobs(): JobRecord[];
}

type Open<T extends { toMs: number }> = Omit<T, "toMs"> & { toMs?: number };

/** Subscribes to `watch`, which must not have started. */
export function createRecorder({
  leases,
  requests,
  jobs,
  pods,
  replicas,
}: Pick<Watch, "leases" | "requests" | "jobs" | "pods" | "replicas">): Recorder {
  const offsetMs = bootOffsetMs();
  const toBoot = (wallMs: number) => wallMs + offsetMs;
  const sightings = new Map<string, Sighting>();
  const waits = new Map<string, Open<Wait>>();
  const expected = new Map<string, JobRecord>();

  function see(sighting: Sighting): void {
    const { lease, token, holder, acquiredMs, endedMs } = sighting;
    sightings.set([lease, token, holder, acquiredMs, endedMs].join(" "), sighting);
  }

  leases.subscribe(({ object: { name: lease, spec, status } }: { object: Lease }) => {
    const { hold, history } = status;
    const show = ({ token, holder, acquiredMs }: Pick<Hold, "token" | "holder" | "acquiredMs">) =>
      ({ lease, ttlMs: spec.ttlMs, token, holder, acquiredMs: toBoot(acquiredMs) }) satisfies Sighting;
    if (hold) see({ ...show(hold), expiresMs: toBoot(hold.expiresMs) });
    for (const past of history) see({ ...show(past), endedMs: toBoot(past.endedMs), reason: past.reason });
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

  const fences = new Map<string, Fence>();
  pods.subscribe(({ object: { name: pod, lease, containers } }) => {
    const keeper = containers.find(({ name }) => name === KEEPER_CONTAINER);
    if (lease === undefined || keeper?.fencedMs === undefined) return;
    fences.set(`${pod} ${keeper.fencedMs}`, { lease, pod, atMs: toBoot(keeper.fencedMs) });
  });

  const readyTimes: (Open<ReadyTime> & { container: string })[] = [];
  replicas.subscribe(({ type, object: { name: pod, containers, isEnding } }) => {
    const ready = containers.filter(({ isReady }) => isReady && !isEnding && type !== "deleted");
    const open = readyTimes.filter((time) => time.pod === pod && time.toMs === undefined);
    for (const time of open) if (ready.every(({ id }) => id !== time.container)) time.toMs = bootMs();
    for (const { id } of ready)
      if (open.every(({ container }) => container !== id))
        readyTimes.push({ pod, container: id, fromMs: bootMs() });
  });

  /** By name: the watch may know of a Job before the creator has the answer to its call. */
  const outcomes = new Map<string, Pick<JobRecord, "endedMs" | "result">>();
  jobs.subscribe(({ object: { name, result } }) => {
    if (result && !outcomes.has(name)) outcomes.set(name, { result, endedMs: bootMs() });
  });

  /** The time of the grant, which is known to the millisecond; the request shows the grant later. */
  function endOf({ lease, holder, fromMs, toMs = bootMs() }: Open<Wait>): number {
    const grants = [...sightings.values()].filter(
      (each) => each.lease === lease && each.holder === holder && each.acquiredMs >= fromMs,
    );
    return Math.min(toMs, ...grants.map(({ acquiredMs }) => acquiredMs));
  }

  return {
    sightings: () => [...sightings.values()],
    waits: () => [...waits.values()].map((wait) => ({ ...wait, toMs: endOf(wait) })),
    fences: () => [...fences.values()],
    readyTimes: () => readyTimes.map((time) => ({ toMs: bootMs(), ...time })),
    expectJob: (job) => expected.set(job.name, { ...job, createdMs: bootMs() }),
    hasEnded: (job) => outcomes.has(job),
    jobs: () => [...expected.values()].map((job) => ({ ...job, ...outcomes.get(job.name) })),
  };
}

const CLOCK_READINGS = 100;

/**
 * The offset from the time of day to the time since boot. A process that is held up between the two readings gets too small an offset, never too
 * large a one.
 */
function bootOffsetMs(): number {
  return Math.max(...Array.from({ length: CLOCK_READINGS }, () => toBootMs(0)));
}
