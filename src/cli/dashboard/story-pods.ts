/** The pods of a hold, and how their containers stand. Pure. */
import { type PodView, parsePod } from "../../lease/pod.ts";
import type { Hold, PastHold } from "../../lease/types.ts";
import { integer, list, record, text, timeMs } from "../../shared/json.ts";
import { shortText } from "../../shared/short-text.ts";
import { ifKnown, type Known } from "../known.ts";
import type { Selector } from "./feed.ts";
import { type Found, named } from "./story-sources.ts";
import type { StoryPod } from "./wire.ts";

/** The hold of a story. */
export type Subject = { hold: Hold; past?: undefined } | { hold?: undefined; past: PastHold };

const MOST_PODS = 10;
const MOST_CONTAINERS = 50;
const LONGEST_WORD = 128;
/** A pod that was made later is another one of the same name. */
const CLOCKS_DIFFER_MS = 1_000;
const JOB_NAME = "batch.kubernetes.io/job-name";
const JOB_UID = "batch.kubernetes.io/controller-uid";
/** A label's value is shorter than a name may be. */
const LONGEST_LABEL = 63;
const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What is kept of a pod. */
export interface FoundPod {
  createdMs: number;
  view: PodView;
  pod: StoryPod;
}

/** Where the pods of a hold are found. Of a hold that is over only the holder's name is known: that of a pod, or of a Job. */
export function podSelectors({ hold, past }: Subject): Selector[] {
  if (hold) {
    const { kind, name, uid } = hold.ref;
    if (kind === "LeaseRequest") return [];
    return [kind === "Job" ? { labelSelector: `${JOB_UID}=${uid}` } : named(name)];
  }
  const { holder } = past;
  if (!isObjectName(holder)) return [];
  return [
    named(holder),
    ...(holder.length > LONGEST_LABEL ? [] : [{ labelSelector: `${JOB_NAME}=${holder}` }]),
  ];
}

/** Where events of the pod or Job that holds are found; of a client there are none. */
export function holderEvents({ hold, past }: Subject): Selector[] {
  if (hold?.ref.kind === "LeaseRequest") return [];
  const name = hold ? hold.ref.name : past.holder;
  return isObjectName(name) ? [{ fieldSelector: `involvedObject.name=${name}` }] : [];
}

/** A client may call itself anything, and the name becomes part of a selector. */
function isObjectName(name: string): boolean {
  return OBJECT_NAME.test(name);
}

/** At most ten of the hold's pods, among those that were found by {@link podSelectors}. */
export function storyPods(
  subject: Subject,
  found: (selector: Selector) => Found<FoundPod>,
): Known<StoryPod[]> {
  const all = podSelectors(subject).map((selector) => found(selector).items);
  const unread = all.find(({ is }) => is === "unread");
  if (unread?.is === "unread") return unread;
  const [first = [], others = []] = all.map((items) => ifKnown(items) ?? []);
  const pods = subject.hold ? podsNow(subject.hold, first) : podsThen(subject.past, first, others);
  return { is: "known", value: pods.slice(0, MOST_PODS).map(({ pod }) => pod) };
}

function podsNow({ ref }: Hold, pods: readonly FoundPod[]): readonly FoundPod[] {
  return ref.kind === "Pod" ? pods.filter(({ view }) => view.uid === ref.uid) : pods;
}

function podsThen(
  { acquiredMs, endedMs }: PastHold,
  named: readonly FoundPod[],
  ofJob: readonly FoundPod[],
): readonly FoundPod[] {
  return named.length > 0
    ? named.filter(({ createdMs }) => createdMs <= acquiredMs + CLOCKS_DIFFER_MS)
    : ofJob.filter(({ createdMs }) => createdMs <= endedMs + CLOCKS_DIFFER_MS);
}

/** Reads a v1 Pod. */
export function parseFoundPod(object: unknown): FoundPod {
  const { metadata, spec, status } = record(object);
  const { name, creationTimestamp, deletionTimestamp } = record(metadata);
  const { phase, initContainerStatuses, containerStatuses } = record(status);
  return {
    view: parsePod(object),
    createdMs: timeMs(creationTimestamp) ?? 0,
    pod: {
      name: text(name) ?? "",
      phase: deletionTimestamp === undefined ? (text(phase) ?? "Pending") : "Terminating",
      node: text(record(spec)["nodeName"]),
      containers: [...list(initContainerStatuses), ...list(containerStatuses)]
        .slice(0, MOST_CONTAINERS)
        .map((status) => ({
          name: word(record(status)["name"]) ?? "",
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
    return `running since ${word(record(running)["startedAt"]) ?? "unknown"}${again}`;
  if (terminated !== undefined) {
    const { exitCode, reason, finishedAt } = record(terminated);
    return `exited with ${integer(exitCode) ?? "unknown"} (${word(reason) ?? "no reason"}) at ${word(finishedAt) ?? "unknown"}${again}`;
  }
  return `waiting: ${word(record(waiting)["reason"]) ?? "no reason"}${again}`;
}

function word(value: unknown): string | undefined {
  return shortText(value, LONGEST_WORD);
}
