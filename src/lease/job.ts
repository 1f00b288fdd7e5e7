/**
 * A Job that waits for its Lease as a whole (`gate: job`), as far as the lease rules look at it. Its wishes are read from its pod template,
 * because anybody may edit its metadata at any time, and a Job that is not meant to wait must never be suspended. Kubernetes lets labels and
 * annotations of the template change while the Job is suspended. Our webhook refuses that while konductor has the Job wait, unless konductor
 * is down.
 */
import { defined, flag, integer, list, record, text, textMap, timeMs } from "../shared/json.ts";
import { ANNOTATION, LEASE_LABEL, RESUMED_ANNOTATION, SUSPENDED_ANNOTATION } from "../shared/names.ts";
import { ALREADY_DONE } from "./once.ts";
import { type Asked, readAsked, type Settings } from "./settings.ts";

/** How many pods a Job is of. */
export interface JobSize {
  completions?: number | undefined;
  parallelism?: number | undefined;
}

export interface JobView extends Asked, JobSize {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  /** The value of the lease label on its pod template. */
  lease?: string;
  /** It bears the mark of a Job that konductor has suspended. */
  marked: boolean;
  /** konductor has let it run before. */
  resumed: boolean;
  /** It carries the label itself, so that it is watched. */
  labelled: boolean;
  /** It makes no pods, and its controller deletes those that it has. */
  suspended: boolean;
  /** It is ending or has ended: its controller makes no more pods. */
  over: boolean;
  /**
   * Its controller has written that it is Complete, or will be (SuccessCriteriaMet), and not because konductor had it end without having run.
   */
  hasSucceeded: boolean;
  /** Set while it is being deleted. */
  deletionMs?: number;
}

/** Conditions of a Job that ends or has ended (KEP-3998, KEP-3329); none is ever taken back. */
export const JOB_ENDS = ["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"];

/** Why konductor has a Job end Complete without having run: its Lease was held; or its work was done already. */
export const ENDED_UNRUN = { held: "LeaseHeld", done: ALREADY_DONE } as const;
const UNRUN_REASONS: readonly unknown[] = Object.values(ENDED_UNRUN);

/** Reads a batch/v1 Job. */
export function parseJob(object: unknown): JobView {
  const job = record(object);
  const metadata = record(job["metadata"]);
  const conditions = list(record(job["status"])["conditions"]).map(record);
  const spec = record(job["spec"]);
  const template = record(record(spec["template"])["metadata"]);
  const lease = textMap(template["labels"])[LEASE_LABEL];
  const notes = record(metadata["annotations"]);
  const isTrue = (wanted: string) =>
    conditions.find(({ type, status }) => type === wanted && status === "True");
  return {
    namespace: text(metadata["namespace"]) ?? "",
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    ...readAsked(lease, template["annotations"]),
    marked: text(notes[SUSPENDED_ANNOTATION]) !== undefined,
    resumed: text(notes[RESUMED_ANNOTATION]) !== undefined,
    labelled: textMap(metadata["labels"])[LEASE_LABEL] !== undefined,
    suspended: flag(spec["suspend"]) ?? false,
    over: conditions.some(({ type, status }) => JOB_ENDS.includes(String(type)) && status === "True"),
    hasSucceeded: hasSucceeded([isTrue("SuccessCriteriaMet"), isTrue("Complete")]),
    ...defined({
      lease,
      completions: integer(spec["completions"]),
      parallelism: integer(spec["parallelism"]),
      deletionMs: timeMs(metadata["deletionTimestamp"]),
    }),
  };
}

/** `conditions`: those that are True. The first one comes before the second, and neither is followed by a failure. */
function hasSucceeded(conditions: readonly (Record<string, unknown> | undefined)[]): boolean {
  const reasons = conditions.flatMap((condition) => (condition ? [condition["reason"]] : []));
  return reasons.length > 0 && !reasons.some((reason) => UNRUN_REASONS.includes(reason));
}

/** Whether the Job's work is done once, and none of its pods does all of it: only the end of the Job tells that it is done. */
export function needsWhole(
  { once, gate }: Pick<Settings, "once" | "gate">,
  { completions = 1, parallelism = 1 }: JobSize,
): boolean {
  return once !== undefined && gate !== "job" && (completions > 1 || parallelism > 1);
}

/** Why what {@link needsWhole} says is refused, for people. */
export const NEEDS_WHOLE = `with ${ANNOTATION.once} a Job of more than one pod needs ${ANNOTATION.gate} "job", since none of its pods does all of the work`;

/** Whether all pods of the Job run under one hold, which is the Job's. */
export function waitsAsWhole({ mode }: Pick<JobView, "mode">): boolean {
  return mode.gate === "job";
}

/** Whether the Job itself is for this Lease, and asks by its template for what `isWanted` accepts. A pod may name any Job as its owner. */
export function asks(
  { lease, settings }: JobView,
  { name }: { name: string },
  isWanted: (settings: Settings) => boolean,
): boolean {
  return settings.ok && lease === name && isWanted(settings.settings);
}

/** Whether it will never make a pod again. */
export function isJobOver({ over, deletionMs }: JobView): boolean {
  return over || deletionMs !== undefined;
}

/** Whether konductor has suspended the Job: it never resumes what others have suspended. */
export function isSuspendedByUs({ suspended, marked }: JobView): boolean {
  return suspended && marked;
}

/** Whether somebody else has suspended the Job. */
export function isSuspendedByUser(job: JobView): boolean {
  return job.suspended && !isSuspendedByUs(job);
}

/** Whether a grant could be of use to it. */
export function canUseJob(job: JobView): boolean {
  return waitsAsWhole(job) && !isJobOver(job) && !isSuspendedByUser(job);
}
