import type { KubeClient } from "../kube/api.ts";
import { JOBS } from "../kube/resources.ts";
import { isJobOver, isSuspendedByUs, type JobView, parseJob, waitsAsWhole } from "../lease/job.ts";
import { hasCode } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import { LEASE_LABEL, RESUMED_ANNOTATION, SUSPENDED_ANNOTATION } from "../shared/names.ts";
import { findJob, type UidRef } from "./live-objects.ts";

/** Whether the Lease wants this of a Job that has just been read: see `findLease` in live-objects.ts. */
type IsMeant = () => Promise<boolean>;

/**
 * Resumes a Job that konductor has suspended: to run under the hold of `token`; or, without `hold`, to come to its end, where it is over. The
 * Job controller makes no pods then, but looks at the conditions only once the Job is not suspended. Resolves with the Job as it is then;
 * undefined if it is gone. A Job that somebody else has suspended is left alone.
 */
export function resumeJob(
  client: KubeClient,
  ref: UidRef,
  hold?: { token: number; isMeant: IsMeant },
): Promise<JobView | undefined> {
  const changeOf = (job: JobView) =>
    isSuspendedByUs(job) && isJobOver(job) === (hold === undefined)
      ? {
          annotations: {
            [SUSPENDED_ANNOTATION]: null,
            ...(hold && { [RESUMED_ANNOTATION]: String(hold.token) }),
          },
          suspend: false,
        }
      : undefined;
  return change(client, ref, changeOf, hold?.isMeant);
}

/**
 * Suspends a Job that is to wait and runs without holding its Lease, and marks it as ours, so that it is watched and runs again on its grant.
 * Resolves with the Job as it is then; undefined where it is gone.
 */
export function suspendJob(client: KubeClient, ref: UidRef, isMeant: IsMeant): Promise<JobView | undefined> {
  const changeOf = (job: JobView) => {
    const { lease } = job;
    if (job.suspended || isJobOver(job) || !waitsAsWhole(job) || lease === undefined) return undefined;
    return {
      annotations: { [SUSPENDED_ANNOTATION]: "true" },
      labels: { [LEASE_LABEL]: lease },
      suspend: true,
    };
  };
  return change(client, ref, changeOf, isMeant);
}

/** Removes a mark that is no longer true: because of it konductor would resume what its user suspends next. */
export function unmarkJob(client: KubeClient, ref: UidRef): Promise<JobView | undefined> {
  return change(client, ref, (job) =>
    job.marked && !job.suspended ? { annotations: { [SUSPENDED_ANNOTATION]: null } } : undefined,
  );
}

interface Change {
  annotations: Record<string, string | null>;
  labels?: Record<string, string>;
  suspend?: boolean;
}

/** Patches exactly the Job that was read, before `isMeant` was asked: whoever changed it meanwhile is not overruled. */
async function change(
  client: KubeClient,
  ref: UidRef,
  changeOf: (job: JobView) => Change | undefined,
  isMeant: IsMeant = async () => true,
): Promise<JobView | undefined> {
  const job = await findJob(client, ref);
  const wanted = job && changeOf(job);
  if (!job || !wanted || !(await isMeant())) return job;
  const { suspend, ...metadata } = wanted;
  const { uid, resourceVersion } = job;
  const patch = { metadata: { uid, resourceVersion, ...metadata }, spec: defined({ suspend }) };
  try {
    return await client.patch(JOBS, ref, patch, { type: "merge" }, parseJob);
  } catch (error) {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
  }
}
