/** Jobs that wait as a whole, or whose one pod waits by itself, and the controller that makes and deletes their pods, as the API server shows them. */
import { JOBS, PODS } from "../../src/kube/resources.ts";
import { parseJob } from "../../src/lease/job.ts";
import { list, record } from "../../src/shared/json.ts";
import { LEASE_LABEL, SUSPENDED_ANNOTATION } from "../../src/shared/names.ts";
import { type Cluster, CONTROLLERS } from "./api/cluster.ts";
import { LEASE_NAME, metadataOf, NAMESPACE, type PodWish, prefixed } from "./pod-object.ts";
import type { Random } from "./random.ts";

export interface TrueJob {
  name: string;
  uid: string;
  pods: PodWish;
  isOver(): boolean;
}

const CRON_JOB = {
  apiVersion: "batch/v1",
  kind: "CronJob",
  name: "cron",
  uid: "uid-of-cron",
  controller: true,
};
const PARALLELISM = 2;
const COMPLETIONS = 2;
const BACKOFF_LIMIT = 2;
const LOOK_EVERY_MS = 1_000;

/** @param createPod makes a pod of the Job, under a name of its own. */
export function createJob(
  { store, scheduler }: Cluster,
  random: Random,
  { name, pods }: { name: string; pods: PodWish },
  createPod: (wish: PodWish, job: { name: string; uid: string }) => void,
): TrueJob {
  const ref = { namespace: NAMESPACE, name };
  const annotations: PodWish["annotations"] = { gate: "job", ...pods.annotations };
  const isWhole = annotations["gate"] === "job";
  const [parallelism, completions] = isWhole ? [PARALLELISM, COMPLETIONS] : [1, 1];
  const created = store.create(CONTROLLERS, JOBS, {
    // The Job as our webhook changes it at its creation.
    metadata: {
      ...ref,
      labels: { [LEASE_LABEL]: LEASE_NAME },
      annotations: isWhole ? { [SUSPENDED_ANNOTATION]: "true" } : {},
      ...(annotations["max-waiting"] !== undefined && { ownerReferences: [CRON_JOB] }),
    },
    spec: {
      suspend: isWhole,
      template: { metadata: { labels: { [LEASE_LABEL]: LEASE_NAME }, annotations: prefixed(annotations) } },
    },
  });
  const uid = String(metadataOf(created)["uid"]);
  const succeeded = new Set<unknown>();
  const failed = new Set<unknown>();
  let made = 0;

  const find = () => {
    const found = store.find(JOBS, ref);
    return metadataOf(found)["uid"] === uid ? found : undefined;
  };
  const conclude = (type: string) => {
    const conditions = [...list(record(find()?.["status"])["conditions"]), { type, status: "True" }];
    store.patch(CONTROLLERS, JOBS, ref, { type: "merge", body: { status: { conditions } } }, "status");
  };

  function control(): void {
    const object = find();
    const pods_ = store
      .list(PODS, NAMESPACE)
      .filter((pod) =>
        list(metadataOf(pod)["ownerReferences"]).some((owner) => record(owner)["uid"] === uid),
      );
    const phaseOf = (pod: unknown) => record(record(pod)["status"])["phase"];
    for (const pod of pods_) {
      if (phaseOf(pod) === "Succeeded") succeeded.add(metadataOf(pod)["uid"]);
      if (phaseOf(pod) === "Failed") failed.add(metadataOf(pod)["uid"]);
    }
    const active = pods_.filter((pod) => phaseOf(pod) !== "Succeeded" && phaseOf(pod) !== "Failed");
    const view = object && parseJob(object);
    if (!view || view.over || view.suspended) {
      for (const pod of active)
        if (metadataOf(pod)["deletionTimestamp"] === undefined)
          store.remove(CONTROLLERS, PODS, { namespace: NAMESPACE, name: String(metadataOf(pod)["name"]) });
      return;
    }
    if (succeeded.size >= completions) conclude("Complete");
    else if (failed.size > BACKOFF_LIMIT) conclude("Failed");
    else {
      const alive = active.filter((pod) => metadataOf(pod)["deletionTimestamp"] === undefined);
      for (let count = alive.length; count < Math.min(parallelism, completions - succeeded.size); count++)
        createPod(
          { ...pods, annotations, name: `${name}-${uid.slice("uid-".length)}-${++made}` },
          { name, uid },
        );
    }
  }
  function tick(): void {
    control();
    const isDone = !find() || isOver();
    if (!isDone || store.list(PODS, NAMESPACE).length > 0)
      scheduler.after(random.between(LOOK_EVERY_MS / 2, LOOK_EVERY_MS), tick);
  }
  const isOver = () => {
    const object = find();
    return !object || parseJob(object).over;
  };
  tick();
  return { name, uid, pods, isOver };
}
