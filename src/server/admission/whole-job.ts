/**
 * Jobs that wait as a whole (`gate: job`). Such a Job is created suspended; a user who sets `suspend: false` queues it and starts no pod.
 * konductor marks the Jobs that it suspends; those that others suspend stay so until they resume them.
 */

import { KonductorError } from "../../shared/errors.ts";
import { integer } from "../../shared/json.ts";
import { ANNOTATION, GROUP, LEASE_LABEL, SUSPENDED_ANNOTATION } from "../../shared/names.ts";
import { refuseParallelism } from "./contradictions.ts";
import type { TemplateOwner } from "./objects.ts";
import { marksOf } from "./propagation.ts";

/** Whether the Job's pods run under one hold. Its template has the last word. */
export function isWholeJob({ spec: { template } }: TemplateOwner): boolean {
  const { annotations } = marksOf(template.metadata);
  return annotations[ANNOTATION.gate] === "job";
}

/** Adds the label by which Jobs are watched to a Job whose template alone says `gate: job`, as if its author had written it there. */
export function withTemplateLabel(job: TemplateOwner): TemplateOwner {
  if (!isWholeJob(job)) return job;
  const { labels } = marksOf(job.spec.template.metadata);
  return { ...job, metadata: { ...job.metadata, labels: { ...labels, ...job.metadata?.labels } } };
}

/** The Job as it waits. It is not marked as ours if its user suspended it. */
export function suspended(job: TemplateOwner): TemplateOwner {
  const isUsers = job.spec.suspend === true;
  const mark = isUsers ? {} : { [SUSPENDED_ANNOTATION]: "true" };
  return {
    ...job,
    metadata: {
      ...job.metadata,
      annotations: { ...job.metadata?.annotations, ...mark },
    },
    spec: { ...job.spec, suspend: true },
  };
}

/** Warns about an exported Job: its mark was removed, so it counts as suspended by its user. */
export function suspensionWarning(sent: TemplateOwner, created: TemplateOwner): string[] {
  if (!isWholeJob(created) || !isMarked(sent) || isMarked(created)) return [];
  return ["spec.suspend: true counts as yours: the Job waits for its klease once you set it to false"];
}

function isMarked({ metadata }: TemplateOwner): boolean {
  return metadata?.annotations?.[SUSPENDED_ANNOTATION] !== undefined;
}

/** One of our labels or annotations in a pod template, and what it was before an update. */
export interface ChangedWish {
  field: string;
  is: string | undefined;
  was: string | undefined;
}

/** The first of our labels and annotations in which the pod templates differ: Kubernetes lets those of a suspended Job change. */
export function changedWish(job: TemplateOwner, old: TemplateOwner): ChangedWish | undefined {
  const { metadata = {} } = job.spec.template;
  const { metadata: before = {} } = old.spec.template;
  for (const map of ["labels", "annotations"] as const) {
    for (const name of Object.keys({ ...before[map], ...metadata[map] })) {
      const [is, was] = [metadata[map]?.[name], before[map]?.[name]];
      const isOurs = name.startsWith(`${GROUP}/`) || name === ANNOTATION.traceparent;
      if (isOurs && is !== was) return { field: `metadata.${map}[${name}]`, is, was };
    }
  }
  return undefined;
}

/**
 * konductor has asked for a Job that waits by what its pod template says, and lets it run by that.
 * @throws KonductorError `Invalid` for a template that says something else than that of `old`, which waits
 */
export function refuseOtherWish({ field, is, was }: ChangedWish, old: TemplateOwner): void {
  if (!isWholeJob(old) || !isMarked(old)) return;
  const before = was === undefined ? "was not set" : `was ${JSON.stringify(was)}`;
  throw new KonductorError(
    "Invalid",
    `spec.template.${field}: Invalid value: ${JSON.stringify(is ?? "")}: Job ${old.metadata?.name ?? ""} waits for its klease by its pod ` +
      `template, in which this ${before}; delete the Job and create it again`,
  );
}

/**
 * An update of the Job by anybody but konductor.
 * @throws KonductorError `Invalid` for an update that removes the label, by which the arbiter sees the Job, or wants too many pods.
 */
export function updateWholeJob(job: TemplateOwner, old: TemplateOwner): TemplateOwner {
  requireLabel(job);
  refuseParallelism(integer(job.spec["parallelism"]) ?? 1);
  const [was, is] = [old, job].map(({ spec }) => spec.suspend === true);
  if (was === is) return job;
  return is ? unmarked(job) : suspended(job);
}

/** Its user suspends it: with an old mark konductor would resume it. */
function unmarked(job: TemplateOwner): TemplateOwner {
  const { [SUSPENDED_ANNOTATION]: mark, ...annotations } = job.metadata?.annotations ?? {};
  return mark === undefined ? job : { ...job, metadata: { ...job.metadata, annotations } };
}

function requireLabel({ metadata, spec }: TemplateOwner): void {
  const wanted = spec.template.metadata?.labels?.[LEASE_LABEL];
  const value = metadata?.labels?.[LEASE_LABEL];
  if (value === wanted) return;
  throw new KonductorError(
    "Invalid",
    `metadata.labels[${LEASE_LABEL}]: Invalid value: ${JSON.stringify(value ?? "")}: with ${ANNOTATION.gate} "job" it has to stay ` +
      `${JSON.stringify(wanted)}; delete the Job and create it again`,
  );
}
