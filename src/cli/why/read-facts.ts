/** Reads what `koncli lease why` explains, with the user's own rights: what may not be read is noted, and does not stop the rest. */
import type { KubeClient } from "../../kube/api.ts";
import { listAll } from "../../kube/list-pages.ts";
import { EVENTS, JOBS, LEASE_REQUESTS, LEASES, NODES, PODS, type Resource } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import { parseLease, parseLeaseRequest } from "../../lease/codec.ts";
import { podsOf } from "../../lease/hold.ts";
import { waitsAsWhole } from "../../lease/job.ts";
import { claimantOf, parsePod } from "../../lease/pod.ts";
import type { HolderRef, Lease, LeaseRequest } from "../../lease/types.ts";
import { parseNode } from "../../objects/node-view.ts";
import { KonductorError } from "../../shared/errors.ts";
import { record, text } from "../../shared/json.ts";
import { GATE_CONTAINER } from "../../shared/names.ts";
import { ifKnown, type Known, tryRead } from "../known.ts";
import {
  type Facts,
  type HiddenSubject,
  type HolderPodFacts,
  type JobSubject,
  MOST_HOLDER_PODS,
  type PodSubject,
  type Subject,
} from "./facts.ts";
import { parseJobSubject, parsePodSubject } from "./subject.ts";

export interface ReadOptions {
  client: KubeClient;
  namespace: string;
  server: ServerClock;
  /** Ends reads of holders' pods. */
  signal?: AbortSignal | undefined;
}

/** Which object, as the user named it; without a kind it is the pod of that name, or else the Job. */
export interface SubjectName {
  kind?: "Pod" | "Job" | undefined;
  name: string;
}

/**
 * @throws KonductorError `NotFound` if there is no such pod or Job, and what the API server answers, except that a read is forbidden.
 */
export async function readFacts(options: ReadOptions, named: SubjectName): Promise<Facts> {
  const { client, namespace, server } = options;
  const found = await readSubject(options, named);
  // Not by label: a request created before konductor was installed has none.
  const all = await tryRead("list LeaseRequests", namespace, () =>
    listAll(client, LEASE_REQUESTS, { namespace, onResponse: server.observe }, parseLeaseRequest),
  );
  const subject = found.kind === "Hidden" ? withRequest(found, named, ifKnown(all) ?? []) : found;
  const name = leaseOf(subject);
  const requests: Facts["requests"] =
    all.is === "known" ? { is: "known", value: all.value.filter(({ spec }) => spec.lease === name) } : all;
  const lease: Facts["lease"] =
    name === undefined
      ? { is: "missing" }
      : await tryRead("get Leases", namespace, () => client.get(LEASES, { namespace, name }, parseLease));
  const isHeard = ({ pod }: PodSubject) => {
    const uid = claimantOf(pod)?.uid;
    const isOurs = ({ spec }: LeaseRequest) => spec.ref?.uid === uid;
    return (
      lease.is !== "known" || lease.value.status.hold?.ref.uid === uid || ifKnown(requests)?.some(isOurs)
    );
  };
  return {
    namespace,
    subject: await withGateLogs(options, subject, isHeard),
    lease,
    requests,
    holderPods: await readHolderPods(options, ifKnown(lease)),
    nowMs: server.nowMs(),
  };
}

/** The klease that it asks for. */
function leaseOf(subject: Subject): string | undefined {
  switch (subject.kind) {
    case "Pod":
      return subject.pod.lease;
    case "Job":
      return subject.job.lease;
    case "Hidden":
      return subject.request?.spec.lease;
  }
}

async function readSubject(options: ReadOptions, { kind, name }: SubjectName): Promise<Subject> {
  const { namespace } = options;
  const pod = kind === "Job" ? MISSING : await get(options, PODS, name, parsePodSubject);
  if (pod.is === "known") return pod.value;
  const job = kind === "Pod" ? MISSING : await get(options, JOBS, name, parseJobSubject);
  if (job.is === "known") return withPods(options, job.value);
  const hidden = [pod, job].flatMap((each) => (each.is === "unread" ? [each.why] : []));
  if (hidden.length > 0) return { kind: "Hidden", name, why: hidden.join(", and ") };
  const what = kind === undefined ? `neither a pod nor a Job "${name}"` : `no ${kind} "${name}"`;
  throw new KonductorError(
    "NotFound",
    `there is ${what} in namespace ${namespace}; kubectl get pods,jobs -n ${namespace} shows what there is`,
  );
}

const MISSING = { is: "missing" } as const;

function get<T>(
  { client, namespace, server }: ReadOptions,
  resource: Resource,
  name: string,
  parse: (value: unknown) => T,
): Promise<Known<T>> {
  return tryRead(`get ${resource.plural}`, namespace, () =>
    client.get(resource, { namespace, name }, parse, { onResponse: server.observe }),
  );
}

function withRequest(
  subject: HiddenSubject,
  { kind, name }: SubjectName,
  requests: readonly LeaseRequest[],
): HiddenSubject {
  const request = requests.find(
    ({ spec: { ref } }) => ref?.name === name && (kind === undefined || ref.kind === kind),
  );
  return request ? { ...subject, request } : subject;
}

const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";

async function withPods(options: ReadOptions, subject: JobSubject): Promise<JobSubject> {
  const { client, namespace } = options;
  const { job } = subject;
  if (job.lease === undefined || waitsAsWhole(job)) return subject;
  const pods = await tryRead("list pods", namespace, async () => {
    const labelSelector = `${CONTROLLER_UID}=${job.uid}`;
    return await listAll(client, PODS, { namespace, labelSelector }, parsePodSubject);
  });
  if (ifKnown(pods)?.length !== 0) return { ...subject, pods };
  const events = await tryRead("list events", namespace, () =>
    listAll(
      client,
      EVENTS,
      { namespace, fieldSelector: `involvedObject.uid=${job.uid},type=Warning` },
      readEvent,
    ),
  );
  const [last] = (ifKnown(events) ?? []).sort((a, b) => b.at.localeCompare(a.at));
  return { ...subject, pods, ...(last && { trouble: last.message }) };
}

function readEvent(object: unknown): { at: string; message: string } {
  const { lastTimestamp, eventTime, message } = record(object);
  return {
    at: text(lastTimestamp) ?? text(eventTime) ?? "",
    message: (text(message) ?? "").replace(/\.\s*$/, ""),
  };
}

/** The log of a gate that runs, and of which konductor seems to know nothing. */
async function withGateLogs(
  options: ReadOptions,
  subject: Subject,
  isHeard: (pod: PodSubject) => boolean | undefined,
): Promise<Subject> {
  if (subject.kind === "Hidden") return subject;
  if (subject.kind === "Pod") return await withGateLog(options, subject, isHeard);
  const [pod] = ifKnown(subject.pods) ?? [];
  // Only one pod of a Job is explained; of several that nobody hears, all say the same.
  if (!pod || ifKnown(subject.pods)?.length !== 1) return subject;
  return { ...subject, pods: { is: "known", value: [await withGateLog(options, pod, isHeard)] } };
}

async function withGateLog(
  { client, namespace }: ReadOptions,
  subject: PodSubject,
  isHeard: (pod: PodSubject) => boolean | undefined,
): Promise<PodSubject> {
  const { pod } = subject;
  if (pod.gate?.state !== "running" || isHeard(subject)) return subject;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod.name)}/log`;
  const gateLog = await tryRead("get pods/log", namespace, async () => {
    const said = await client.raw("GET", `${path}?container=${GATE_CONTAINER}&tailLines=1`);
    return (text(said) ?? "").trim();
  }).catch((error: unknown): Known<string> => {
    // The kubelet may be away.
    if (error instanceof KonductorError) return { is: "missing" };
    throw error;
  });
  return { ...subject, gateLog };
}

/** The pods that may be running under the present hold, at most {@link MOST_HOLDER_PODS}. */
export async function readHolderPods(
  options: ReadOptions,
  lease: Lease | undefined,
): Promise<HolderPodFacts[]> {
  const hold = lease?.status.hold;
  const refs = hold ? podsOf(hold).slice(0, MOST_HOLDER_PODS) : [];
  return Promise.all(refs.map((ref) => readHolderPod(options, ref)));
}

async function readHolderPod(
  { client, namespace, signal }: ReadOptions,
  ref: HolderRef,
): Promise<HolderPodFacts> {
  const { node } = ref;
  const [found, isNodeReady] = await Promise.all([
    tryRead("get pods", namespace, () =>
      client.get(PODS, { namespace, name: ref.name }, parsePod, { signal }),
    ),
    node === undefined
      ? ({ is: "missing" } as const)
      : tryRead(
          "get nodes",
          undefined,
          async () => (await client.get(NODES, { name: node }, parseNode, { signal })).ready,
        ),
  ]);
  // Names come back, uids do not.
  const isAnother = found.is === "known" && found.value.uid !== ref.uid;
  return { ref, pod: isAnother ? { is: "missing" } : found, isNodeReady };
}
