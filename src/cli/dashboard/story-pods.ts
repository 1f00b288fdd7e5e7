/** The pods of a hold, and how their containers stand. */
import { find } from "../../kube/find.ts";
import { listAll } from "../../kube/list-pages.ts";
import { PODS } from "../../kube/resources.ts";
import { podsOf } from "../../lease/hold.ts";
import type { Hold, PastHold } from "../../lease/types.ts";
import { integer, list, record, text, timeMs } from "../../shared/json.ts";
import { type Known, tryRead } from "../known.ts";
import type { HoldReader } from "./hold-reader.ts";
import type { StoryPod } from "./wire.ts";

const MOST_PODS = 10;
/** A pod that was made later is another one of the same name. */
const CLOCKS_DIFFER_MS = 1_000;
const JOB_NAME = "batch.kubernetes.io/job-name";
const JOB_UID = "batch.kubernetes.io/controller-uid";
const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether a pod or a Job may be called so. */
export function isObjectName(name: string): boolean {
  return OBJECT_NAME.test(name);
}

/** At most ten of them. Of a hold that is over only the holder's name is known. */
export function readStoryPods(
  reader: HoldReader,
  namespace: string,
  { hold, past }: { hold: Hold | undefined; past: PastHold | undefined },
): Promise<Known<StoryPod[]>> {
  const what = hold?.ref.kind === "Job" ? "list pods" : "get pods";
  return tryRead(what, namespace, async () => {
    const found = await (hold
      ? podsNow(reader, namespace, hold)
      : past
        ? podsThen(reader, namespace, past)
        : []);
    return found.slice(0, MOST_PODS).map(({ pod }) => pod);
  });
}

async function podsNow(reader: HoldReader, namespace: string, hold: Hold): Promise<FoundPod[]> {
  const { ref } = hold;
  if (ref.kind === "LeaseRequest") return [];
  if (ref.kind === "Job") return await podsBy(reader, namespace, `${JOB_UID}=${ref.uid}`);
  const found = await Promise.all(podsOf(hold).map(({ name }) => podNamed(reader, namespace, name)));
  return found.filter((each) => each?.uid === ref.uid).filter((each) => each !== undefined);
}

async function podsThen(reader: HoldReader, namespace: string, past: PastHold): Promise<FoundPod[]> {
  const { holder, acquiredMs, endedMs } = past;
  if (!isObjectName(holder)) return [];
  const pod = await podNamed(reader, namespace, holder);
  if (pod) return pod.createdMs <= acquiredMs + CLOCKS_DIFFER_MS ? [pod] : [];
  // A label's value is shorter than a name may be.
  if (holder.length > 63) return [];
  const ofJob = await podsBy(reader, namespace, `${JOB_NAME}=${holder}`);
  return ofJob.filter(({ createdMs }) => createdMs <= endedMs + CLOCKS_DIFFER_MS);
}

interface FoundPod {
  uid: string;
  createdMs: number;
  pod: StoryPod;
}

function podNamed({ client }: HoldReader, namespace: string, name: string): Promise<FoundPod | undefined> {
  return find(client, PODS, { namespace, name }, parseFound);
}

function podsBy({ client }: HoldReader, namespace: string, labelSelector: string): Promise<FoundPod[]> {
  return listAll(client, PODS, { namespace, labelSelector }, parseFound);
}

function parseFound(object: unknown): FoundPod {
  const { metadata, spec, status } = record(object);
  const { name, uid, creationTimestamp, deletionTimestamp } = record(metadata);
  const { phase, initContainerStatuses, containerStatuses } = record(status);
  return {
    uid: text(uid) ?? "",
    createdMs: timeMs(creationTimestamp) ?? 0,
    pod: {
      name: text(name) ?? "",
      phase: deletionTimestamp === undefined ? (text(phase) ?? "Pending") : "Terminating",
      node: text(record(spec)["nodeName"]),
      containers: [...list(initContainerStatuses), ...list(containerStatuses)].map((status) => ({
        name: text(record(status)["name"]) ?? "",
        state: describeState(record(status)),
      })),
    },
  };
}

/** "running since …", "exited with 75 (Error) at …", "waiting: ImagePullBackOff". */
function describeState({ state, restartCount }: Record<string, unknown>): string {
  const { running, terminated, waiting } = record(state);
  const restarts = integer(restartCount) ?? 0;
  const again = restarts === 0 ? "" : `, restarted ${restarts === 1 ? "once" : `${restarts} times`}`;
  if (running !== undefined)
    return `running since ${text(record(running)["startedAt"]) ?? "unknown"}${again}`;
  if (terminated !== undefined) {
    const { exitCode, reason, finishedAt } = record(terminated);
    return `exited with ${integer(exitCode) ?? "unknown"} (${text(reason) ?? "no reason"}) at ${text(finishedAt) ?? "unknown"}${again}`;
  }
  return `waiting: ${text(record(waiting)["reason"]) ?? "no reason"}${again}`;
}
