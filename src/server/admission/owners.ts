/** Objects that create pods: the label is copied down where that can work; elsewhere a warning names the right place. */
import { isDeepStrictEqual } from "node:util";
import { readSettings } from "../../lease/settings.ts";
import { integer, text } from "../../shared/json.ts";
import { LEASE_LABEL, PROPAGATED_ANNOTATION } from "../../shared/names.ts";
import type { AdmissionContext, Rewritten } from "./admission-context.ts";
import { isAppliedServerSide, writtenByUser } from "./authorship.ts";
import { type JobWishes, refuseSeveral } from "./contradictions.ts";
import type { CronJob, PodTemplate, TemplateOwner } from "./objects.ts";
import { deadlineWarning, planPod, requireSettings } from "./plan.ts";
import { marksOf, propagate, withdraw, withRecord } from "./propagation.ts";
import { warnRollout } from "./rollout.ts";
import {
  changedWish,
  isWholeJob,
  refuseOtherWish,
  suspended,
  updateWholeJob,
  withTemplateLabel,
} from "./whole-job.ts";

const TEMPLATE = "spec.template.";
const JOB_TEMPLATE = "spec.jobTemplate.spec.template.";

/** A Job at its creation, the only moment at which its label and annotations are copied into its template. */
export function createJob(
  sent: TemplateOwner,
  namespace: string,
  context: AdmissionContext,
): Rewritten<TemplateOwner> {
  // First, so that this call sees what a repeated one would, which finds the label there.
  const job = withTemplateLabel(sent);
  if (isLabelled(sent)) requireSettings(sent.metadata, "metadata");
  const { template } = propagate(marksOf(job.metadata), job.spec.template, TEMPLATE);
  const warnings = isLabelled(template)
    ? [
        ...planPod(template, namespace, context, { path: TEMPLATE, job: jobOf(job) }).warnings,
        ...deadlineWarning(template.metadata, job.spec.activeDeadlineSeconds, "spec"),
      ]
    : [];
  const created = { ...job, spec: { ...job.spec, template } };
  return { object: isWholeJob(created) ? suspended(created) : created, warnings };
}

/**
 * An update of a Job by anybody but konductor. `old`: the stored version.
 * @throws KonductorError `Invalid` or `Forbidden`
 */
export function updateJob(
  job: TemplateOwner,
  old: TemplateOwner,
  namespace: string,
  context: AdmissionContext,
): Rewritten<TemplateOwner> {
  refuseMorePods(job);
  const changed = changedWish(job, old);
  if (changed) refuseOtherWish(changed, old);
  const { template } = job.spec;
  const planned =
    changed && isLabelled(template)
      ? planPod(template, namespace, context, { path: TEMPLATE, job: jobOf(job) }).warnings
      : [];
  const object = isWholeJob(job) ? updateWholeJob(job, old) : job;
  return { object, warnings: [...planned, ...warnJob(job, old)] };
}

/** Warns where label or annotations of an existing Job say something else than its template, in which alone they count. */
export function warnJob(job: TemplateOwner, old: TemplateOwner): string[] {
  const { labels, annotations } = marksOf(job.metadata);
  const template = job.spec.template.metadata;
  const differing = [
    ...Object.keys(labels).filter((name) => template?.labels?.[name] !== labels[name]),
    ...Object.keys(annotations).filter((name) => template?.annotations?.[name] !== annotations[name]),
  ];
  const isRemoved = isLabelled(old) && !isLabelled(job) && isLabelled(job.spec.template);
  return (isRemoved ? [LEASE_LABEL] : differing).map(
    (name) =>
      `${name} was changed, but konductor reads the Job's pod template, into which it is copied only when the Job is created; delete the Job ` +
      "and create it again",
  );
}

/**
 * A CronJob at creation and at every update: what we put into its template follows its label. `old` is the stored version. The record on it
 * counts where the record was lost unasked: server-side apply drops it with the user's last annotation, as nobody owns it, and anybody may
 * remove it alone. A manifest that replaces the whole object says itself what stays.
 */
export function mutateCronJob(
  cronJob: CronJob,
  namespace: string,
  context: AdmissionContext,
  old?: CronJob,
): Rewritten<CronJob> {
  if (isLabelled(cronJob)) requireSettings(cronJob.metadata, "metadata");
  const { jobTemplate } = cronJob.spec;
  const before = jobTemplate.spec.template;
  const isRecordAlone = isDeepStrictEqual(wishesOf(cronJob), old && wishesOf(old));
  const lost = isAppliedServerSide(cronJob.metadata) || isRecordAlone ? recordOn(old) : undefined;
  const own = withdraw(before, recordOn(cronJob) ?? lost, writtenByUser(cronJob.metadata));
  const { template, added } = propagate(marksOf(cronJob.metadata), own, JOB_TEMPLATE);
  const warnings = isLabelled(template)
    ? [
        ...planPod(template, namespace, context, { path: JOB_TEMPLATE, job: jobOf(jobTemplate) }).warnings,
        ...deadlineWarning(
          template.metadata,
          jobTemplate.spec.activeDeadlineSeconds,
          "spec.jobTemplate.spec",
        ),
      ]
    : withdrawalWarning(before);
  const metadata = withRecord(cronJob.metadata, added);
  const spec = { ...cronJob.spec, jobTemplate: { ...jobTemplate, spec: { ...jobTemplate.spec, template } } };
  return { object: { ...cronJob, ...(metadata && { metadata }), spec }, warnings };
}

function jobOf({ spec: { managedBy, parallelism, completions } }: TemplateOwner): JobWishes {
  return {
    managedBy: text(managedBy),
    parallelism: integer(parallelism),
    completions: integer(completions),
  };
}

/**
 * An update of a Job: neither of its numbers of pods may become more than its settings allow.
 * @throws KonductorError `Invalid`
 */
export function refuseMorePods(job: TemplateOwner): void {
  const asked = readSettings(job.spec.template.metadata ?? {});
  if (asked.ok) refuseSeveral(asked.settings, jobOf(job));
}

/** All that concerns us on the CronJob and in its template. */
function wishesOf({ metadata, spec }: CronJob) {
  const template = spec.jobTemplate.spec.template.metadata;
  return [marksOf(metadata), template?.labels, template?.annotations];
}

function recordOn(cronJob: CronJob | undefined): string | undefined {
  return cronJob?.metadata?.annotations?.[PROPAGATED_ANNOTATION];
}

function withdrawalWarning({ metadata }: PodTemplate): string[] {
  const lease = metadata?.labels?.[LEASE_LABEL];
  if (lease === undefined) return [];
  return [
    `${JOB_TEMPLATE}metadata.labels[${LEASE_LABEL}] was withdrawn, as the CronJob lost its label: new pods do not wait for ` +
      `klease ${lease} any more`,
  ];
}

/** A Deployment, StatefulSet or DaemonSet: nothing is changed, but what cannot work is refused or pointed out. */
export function warnOwner(
  kind: string,
  owner: TemplateOwner,
  namespace: string,
  context: AdmissionContext,
): string[] {
  const { template } = owner.spec;
  if (isLabelled(template)) {
    const bearer = { path: TEMPLATE, job: undefined };
    return [...planPod(template, namespace, context, bearer).warnings, ...warnRollout(kind, owner)];
  }
  if (!isLabelled(owner)) return [];
  const place = `${TEMPLATE}metadata.labels[${LEASE_LABEL}]`;
  return [`metadata.labels[${LEASE_LABEL}] has no effect on a ${kind}: put it on its pods, ${place}`];
}

export function isLabelled(object: Pick<PodTemplate, "metadata"> | undefined): boolean {
  return object?.metadata?.labels?.[LEASE_LABEL] !== undefined;
}
