/**
 * Jobs that wait as a whole (`gate: job`): one is created suspended, and a user who sets `suspend: false` puts it into the queue and starts
 * nobody. What konductor has suspended it marks; what others suspend stays so until they take it back.
 */

import { KonductorError } from "../../shared/errors.ts";
import { integer } from "../../shared/json.ts";
import { ANNOTATION, LEASE_LABEL, SUSPENDED_ANNOTATION } from "../../shared/names.ts";
import type { TemplateOwner } from "./objects.ts";
import { marksOf } from "./propagation.ts";
import { refuseParallelism } from "./refusals.ts";

/** Whether the pods of the Job, whose template says it last, run under one hold. */
export function isWholeJob({ spec: { template } }: TemplateOwner): boolean {
  const { annotations } = marksOf(template.metadata);
  return annotations[ANNOTATION.gate] === "job";
}

/** The Job as it waits, with label and annotations where the arbiter finds them. One that its user suspended is not marked as ours. */
export function suspended(job: TemplateOwner): TemplateOwner {
  const { labels, annotations } = marksOf(job.spec.template.metadata);
  const isUsers = job.spec.suspend === true;
  const mark = isUsers ? {} : { [SUSPENDED_ANNOTATION]: "true" };
  return {
    ...job,
    metadata: {
      ...job.metadata,
      labels: { ...job.metadata?.labels, ...labels },
      annotations: { ...job.metadata?.annotations, ...annotations, ...mark },
    },
    spec: { ...job.spec, suspend: true },
  };
}

/**
 * An update of the Job by anybody but konductor.
 * @throws KonductorError `Invalid` for one that takes the label or the gate away, by which the arbiter knows the Job, or wants too many
 * pods.
 */
export function updateWholeJob(job: TemplateOwner, old: TemplateOwner): TemplateOwner {
  requireMark(job, "labels", LEASE_LABEL);
  requireMark(job, "annotations", ANNOTATION.gate);
  refuseParallelism(integer(job.spec["parallelism"]) ?? 1);
  return old.spec.suspend === true && job.spec.suspend !== true ? suspended(job) : job;
}

function requireMark({ metadata, spec }: TemplateOwner, map: "labels" | "annotations", name: string): void {
  const wanted = spec.template.metadata?.[map]?.[name];
  const value = metadata?.[map]?.[name];
  if (value === wanted) return;
  throw new KonductorError(
    "Invalid",
    `metadata.${map}[${name}]: Invalid value: ${JSON.stringify(value ?? "")}: with ${ANNOTATION.gate} "job" it has to stay ` +
      `${JSON.stringify(wanted)}; delete the Job and create it again`,
  );
}
