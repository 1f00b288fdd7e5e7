/** Stories that are written down, since they are too long to occur by chance. */
import type { Event } from "../events/event.ts";
import type { PodWish } from "../pod-object.ts";
import type { WorkerWish } from "../work.ts";

/** A pod that would hold for as long as a tale lasts. */
const POD: PodWish = {
  ...{ name: "", annotations: {}, restartPolicy: "OnFailure", selfFencing: true, node: 0, isRefused: false },
  ...{ worksForMs: 100_000, exitCodes: [], graceSeconds: 10, stopsWithinMs: 50, exitCodeAtTerm: 143 },
};

/** An event at `atMs`, by default of the pod that runs. */
export function event(
  atMs: number,
  what: string,
  { who = 0, ms = 0, kind = 0 }: Partial<Pick<Event, "who" | "ms" | "kind">> = {},
): Event {
  return { atMs, what, who, ms, kind };
}

/** The creation of a pod at `atMs`. */
export function pod(atMs: number, name: string, wish: Partial<PodWish> = {}): Event {
  return { ...event(atMs, "pod"), pod: { ...POD, name, ...wish } };
}

/** At `atMs` a Job of two pods is created. */
export function job(atMs: number, name: string, pods: Partial<PodWish>): Event {
  return { ...event(atMs, "job"), pod: { ...POD, name, ...pods } };
}

/** At `atMs` somebody asks by a lease client, and works for a while under the hold. */
export function worker(atMs: number, name: string, wish: Partial<WorkerWish> = {}): Event {
  const usual: WorkerWish = {
    ...{ name, by: "exec", timeoutMs: Number.POSITIVE_INFINITY },
    ...{ worksForMs: 30_000, graceMs: 3_000 },
  };
  return { ...event(atMs, "worker"), worker: { ...usual, ...wish } };
}

/** Nothing is mended before `atMs`. */
export const until = (atMs: number): Event => event(atMs, "end");
