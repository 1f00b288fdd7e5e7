/** Jobs that wait as a whole, and the controller that makes and deletes their pods. It acts on what the API server shows of them. */
import type { JobView } from "../../../../src/lease/job.ts";
import { ANNOTATION, SUSPENDED_ANNOTATION } from "../../../../src/shared/names.ts";
import { type Api, LEASE_NAME, NAMESPACE } from "./api.ts";
import type { PodKind } from "./pod.ts";

const PARALLELISM = 2;
const COMPLETIONS = 2;
const BACKOFF_LIMIT = 2;

export interface TrueJob extends PodKind {
  name: string;
  uid: string;
  succeeded: Set<string>;
  failed: Set<string>;
}

export function createJob(index: number, kind: PodKind): TrueJob {
  return { ...kind, name: `batch-${index}`, uid: `job-${index}`, succeeded: new Set(), failed: new Set() };
}

/** As our webhook has it created. */
export function waitingView({ name, uid }: TrueJob): JobView {
  return {
    namespace: NAMESPACE,
    name,
    uid,
    resourceVersion: "",
    lease: LEASE_NAME,
    annotations: { [ANNOTATION.gate]: "job", [SUSPENDED_ANNOTATION]: "true" },
    labelled: true,
    suspended: true,
    over: false,
  };
}

export const suspendedByUs = (view: JobView): JobView => ({
  ...view,
  annotations: { ...view.annotations, [SUSPENDED_ANNOTATION]: "true" },
  suspended: true,
});

export function resumed(view: JobView): JobView {
  const { [SUSPENDED_ANNOTATION]: _, ...annotations } = view.annotations;
  return { ...view, annotations, suspended: false };
}

/** One look of the Job controller, or of the garbage collector where the Job is gone. */
export function control(api: Api, job: TrueJob, createPod: () => void): void {
  const view = api.jobs().get(job.uid);
  const pods = [...api.pods().values()].filter((pod) => pod.job?.uid === job.uid);
  const active = pods.filter(({ phase }) => phase !== "Succeeded" && phase !== "Failed");
  const deleteActive = () => {
    for (const pod of active) if (pod.deletionMs === undefined) api.putPod({ ...pod, deletionMs: 1 });
  };
  if (!view || view.over || view.suspended) {
    deleteActive();
    return;
  }
  for (const { uid, phase } of pods) {
    if (phase === "Succeeded") job.succeeded.add(uid);
    if (phase === "Failed") job.failed.add(uid);
  }
  if (job.succeeded.size >= COMPLETIONS || job.failed.size > BACKOFF_LIMIT) {
    api.putJob({ ...view, over: true });
    return;
  }
  const missing =
    Math.min(PARALLELISM, COMPLETIONS - job.succeeded.size) -
    active.filter(({ deletionMs }) => deletionMs === undefined).length;
  for (let count = 0; count < missing; count++) createPod();
}
