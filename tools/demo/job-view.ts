import type { StoredObject } from "../../src/kube/object-store.ts";
import { type PodView, parsePod } from "../../src/lease/pod.ts";
import { list, record, text, textMap } from "../../src/shared/json.ts";

export interface JobView extends StoredObject {
  /** What created the Job. */
  origin: "schedule" | "hand" | "file";
  ended?: "Complete" | "Failed";
}

/** A pod and the Job that it belongs to. */
export interface JobPod extends Omit<PodView, "job"> {
  job: string;
}

/** Written by the CronJob controller, and by `kubectl create job --from`. */
const SCHEDULED_ANNOTATION = "batch.kubernetes.io/cronjob-scheduled-timestamp";
const MANUAL_ANNOTATION = "cronjob.kubernetes.io/instantiate";
const JOB_NAME_LABEL = "batch.kubernetes.io/job-name";

export function parseJob(object: unknown): JobView {
  const job = record(object);
  const metadata = record(job["metadata"]);
  const annotations = textMap(metadata["annotations"]);
  const conditions = list(record(job["status"])["conditions"]).map(record);
  const has = (type: string) => conditions.some((each) => each["type"] === type && each["status"] === "True");
  const ended = has("Complete") ? "Complete" : has("Failed") ? "Failed" : undefined;
  return {
    namespace: text(metadata["namespace"]),
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    origin:
      SCHEDULED_ANNOTATION in annotations ? "schedule" : MANUAL_ANNOTATION in annotations ? "hand" : "file",
    ...(ended && { ended }),
  };
}

export function parseJobPod(object: unknown): JobPod {
  const labels = textMap(record(record(object)["metadata"])["labels"]);
  return { ...parsePod(object), job: labels[JOB_NAME_LABEL] ?? "" };
}

/** Whether the pod has a log to read. */
export function hasStarted({ main }: Pick<JobPod, "main">): boolean {
  return main.some(({ kind, startedMs }) => kind === "app" && startedMs !== undefined);
}
