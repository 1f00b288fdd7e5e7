/**
 * Jobs that wait as a whole (`gate: job`): one is created suspended, and a user who sets `suspend: false` puts it into the queue and starts
 * nobody. What konductor has suspended it marks; what others suspend stays so until they take it back.
 */

import { KonductorError } from "../../shared/errors.ts";
import { integer } from "../../shared/json.ts";
import { ANNOTATION, LEASE_LABEL, SUSPENDED_ANNOTATION } from "../../shared/names.ts";
import { refuseParallelism } from "./contradictions.ts";
import type { TemplateOwner } from "./objects.ts";
import { marksOf } from "./propagation.ts";

/** Whether the pods of the Job, whose template says it last, run under one hold. */
export function isWholeJob({ spec: { template } }: TemplateOwner): boolean {
  const { annotations } = marksOf(template.metadata);
  return annotations[ANNOTATION.gate] === "job";
}

/** A Job that waits as a whole by the word of its template alone, with the label by which it is watched, as if its author had written it there. */
export function withTemplateLabel(job: TemplateOwner): TemplateOwner {
  if (!isWholeJob(job)) return job;
  const { labels } = marksOf(job.spec.template.metadata);
  return { ...job, metadata: { ...job.metadata, labels: { ...labels, ...job.metadata?.labels } } };
}

/** The Job as it waits. One that its user suspended is not marked as ours. */
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

/** An exported Job says that it is suspended, and no longer by whom: it is `created` as its user's. */
export function suspensionWarning(sent: TemplateOwner, created: TemplateOwner): string[] {
  if (!isWholeJob(created) || !isMarked(sent) || isMarked(created)) return [];
  return ["spec.suspend: true counts as yours: the Job waits for its klease once you set it to false"];
}

function isMarked({ metadata }: TemplateOwner): boolean {
  return metadata?.annotations?.[SUSPENDED_ANNOTATION] !== undefined;
}

/**
 * An update of the Job by anybody but konductor.
 * @throws KonductorError `Invalid` for one that takes the label away, by which the arbiter sees the Job, or wants too many pods.
 */
export function updateWholeJob(job: TemplateOwner, old: TemplateOwner): TemplateOwner {
  requireLabel(job);
  refuseParallelism(integer(job.spec["parallelism"]) ?? 1);
  const [was, is] = [old, job].map(({ spec }) => spec.suspend === true);
  if (was === is) return job;
  return is ? unmarked(job) : suspended(job);
}

/** Its user suspends it: a mark that was left from before would have konductor resume it. */
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
