import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { JOBS } from "../kube/resources.ts";
import { type JobView, parseJob } from "../lease/job.ts";
import { hasCode } from "../shared/errors.ts";
import { list, record, text } from "../shared/json.ts";
import type { UidRef } from "./live-objects.ts";

/** The uid of a Job's CronJob; undefined if there is none, or no such Job. */
export async function findCronJobUid(client: KubeClient, job: UidRef): Promise<string | undefined> {
  const metadata = record(record(await readJob(client, job))["metadata"]);
  const owner = list(metadata["ownerReferences"])
    .map(record)
    .find(({ apiVersion, kind }) => kind === "CronJob" && text(apiVersion)?.startsWith("batch/"));
  return typeof owner?.["uid"] === "string" ? owner["uid"] : undefined;
}

/**
 * Has the Job controller end this very Job as successful (KEP-3998: condition SuccessCriteriaMet). The controller deletes its pods and writes
 * Complete; for a suspended Job, once it is resumed. The spec stays as it is. Resolves with false if the Job is over already, gone, or not
 * what `isMeant` accepts: a pod may name any Job as its owner. `isMeant` is asked about the Job as it is now (undefined: it is gone). The Job is
 * ended only if it is unchanged since: see `findLease` in live-objects.ts.
 */
export async function completeJob(
  client: KubeClient,
  job: UidRef,
  {
    reason,
    message,
    nowMs,
    isMeant,
  }: {
    reason: string;
    message: string;
    nowMs: number;
    isMeant: (job: JobView | undefined) => Promise<boolean>;
  },
): Promise<boolean> {
  const found = record(await readJob(client, job));
  const live = found["metadata"] === undefined ? undefined : parseJob(found);
  if (!(await isMeant(live)) || !live || live.over) return false;
  const conditions = list(record(found["status"])["conditions"]).map(record);
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const met = { type: "SuccessCriteriaMet", status: "True", reason, message };
  const { resourceVersion } = record(found["metadata"]);
  const patch = {
    metadata: { uid: job.uid, resourceVersion },
    status: { conditions: [...conditions, { ...met, lastProbeTime: time, lastTransitionTime: time }] },
  };
  try {
    await client.patch(JOBS, job, patch, { type: "merge", subresource: "status" });
    return true;
  } catch (error) {
    if (hasCode(error, "NotFound")) return false;
    throw error;
  }
}

async function readJob(client: KubeClient, { namespace, name, uid }: UidRef): Promise<unknown> {
  const found = await find(client, JOBS, { namespace, name }, (object) => object);
  return record(record(found)["metadata"])["uid"] === uid ? found : undefined;
}
