/** Watches everything by which a chaos run is judged, and knows the current targets of faults, also while the API server is away. */
import { parseElectionRecord } from "../../src/kube/election-record.ts";
import type { StoredObject } from "../../src/kube/object-store.ts";
import { createReflector, type Reflector, type ReflectorOptions } from "../../src/kube/reflector.ts";
import { ELECTION_LEASES, JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import type { Lease, LeaseRequest } from "../../src/lease/types.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { list, record, text, timeMs } from "../../src/shared/json.ts";
import { createLogger } from "../../src/shared/log.ts";
import { ELECTION_LEASE, EXIT, LEASE_LABEL, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type { Environment } from "../e2e/environment.ts";

export interface WatchedContainer {
  name: string;
  /** containerd's ID; empty before the first run. */
  id: string;
  state: "waiting" | "running" | "terminated";
  isReady: boolean;
  /** When the container's last run ended, in whole seconds, if it ended in order to fence. */
  fencedMs: number | undefined;
}

export interface WatchedPod extends StoredObject {
  ip: string;
  phase: string;
  /** The value of the pod's label. */
  lease: string | undefined;
  isEnding: boolean;
  containers: readonly WatchedContainer[];
}

export interface WatchedJob extends StoredObject {
  result?: "Complete" | "Failed";
}

export interface Watch {
  readonly pods: Reflector<WatchedPod>;
  readonly replicas: Reflector<WatchedPod>;
  readonly leases: Reflector<Lease>;
  readonly requests: Reflector<LeaseRequest>;
  readonly jobs: Reflector<WatchedJob>;
  /** The name of the arbiter's pod. */
  arbiter(): string | undefined;
  /** Starts watching. Whoever wants to see every event must subscribe before. Resolves when everything is listed. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when everything that was written before the call is known. */
  catchUp(): Promise<void>;
}

export function createWatch({ client }: Pick<Environment, "client">, namespace: string): Watch {
  const common = { client, clock: systemClock(), logger: createLogger({ level: "fatal" }) };
  const follow = <T extends StoredObject>(
    options: Pick<ReflectorOptions<T>, "resource" | "parse">,
    where = namespace,
  ) => createReflector({ ...common, ...options, namespace: where });
  const pods = follow({ resource: PODS, parse: parseWatchedPod });
  const replicas = follow({ resource: PODS, parse: parseWatchedPod }, SYSTEM_NAMESPACE);
  const leases = follow({ resource: LEASES, parse: parseLease });
  const requests = follow({ resource: LEASE_REQUESTS, parse: parseLeaseRequest });
  const jobs = follow({ resource: JOBS, parse: parseWatchedJob });
  const elections = follow({ resource: ELECTION_LEASES, parse: parseElection }, SYSTEM_NAMESPACE);
  const all = [pods, replicas, leases, requests, jobs, elections];
  return {
    pods,
    replicas,
    leases,
    requests,
    jobs,
    arbiter: () => elections.store.list().find(({ name }) => name === ELECTION_LEASE)?.holder || undefined,
    async start(signal) {
      for (const each of all) each.start(signal);
      await Promise.all(all.map(({ synced }) => synced));
    },
    async catchUp() {
      await Promise.all(all.map((each) => each.relist()));
    },
  };
}

function parseMetadata(object: Record<string, unknown>) {
  const metadata = record(object["metadata"]);
  return {
    namespace: text(metadata["namespace"]) ?? "",
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    isEnding: metadata["deletionTimestamp"] !== undefined,
  };
}

function parseWatchedPod(object: unknown): WatchedPod {
  const pod = record(object);
  const status = record(pod["status"]);
  const containers = [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])].map(
    record,
  );
  return {
    ...parseMetadata(pod),
    ip: text(status["podIP"]) ?? "",
    phase: text(status["phase"]) ?? "Pending",
    lease: text(record(record(pod["metadata"])["labels"])[LEASE_LABEL]),
    containers: containers.map(({ name, containerID, state, lastState, ready }) => {
      const { running, terminated } = record(state);
      const { exitCode, finishedAt } = record(terminated ?? record(lastState)["terminated"]);
      return {
        name: text(name) ?? "",
        id: (text(containerID) ?? "").replace("containerd://", ""),
        state: running ? "running" : terminated ? "terminated" : "waiting",
        isReady: ready === true,
        fencedMs: exitCode === EXIT.fenced ? timeMs(finishedAt) : undefined,
      };
    }),
  };
}

function parseWatchedJob(object: unknown): WatchedJob {
  const job = record(object);
  const conditions = list(record(job["status"])["conditions"]).map(record);
  const has = (type: string) => conditions.some((each) => each["type"] === type && each["status"] === "True");
  const result = has("Complete") ? "Complete" : has("Failed") ? "Failed" : undefined;
  return { ...parseMetadata(job), ...(result && { result }) };
}

function parseElection(object: unknown): StoredObject & { holder: string } {
  return { ...parseMetadata(record(object)), holder: parseElectionRecord(object).holder };
}
