/** konductor and everything around it, in one process and in virtual time. */
import type { KubeClient, ResponseInfo } from "../../src/kube/api.ts";
import { JOBS, LEASE_REQUESTS, LEASES, NAMESPACES, NODES, PODS } from "../../src/kube/resources.ts";
import { createServerClock } from "../../src/kube/server-clock.ts";
import { canUseJob, parseJob } from "../../src/lease/job.ts";
import { canUseGrant, parsePod } from "../../src/lease/pod.ts";
import type { LeaseRequest } from "../../src/lease/types.ts";
import { defined, list, record } from "../../src/shared/json.ts";
import { ANNOTATION, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { ADMIN, admitAs, KONDUCTOR } from "./admission.ts";
import { createSimClient } from "./api/client.ts";
import { type Cluster, CONTROLLERS, createCluster } from "./api/cluster.ts";
import { type CallInfo, createLine, type Line } from "./api/line.ts";
import { witnessDismissals } from "./dismissals.ts";
import type { Switch } from "./guards/switch.ts";
import type { Note, Noted } from "./history.ts";
import { createJob, type TrueJob } from "./jobs.ts";
import { startPod } from "./kubelet.ts";
import { noteLimits } from "./limits.ts";
import { metadataOf, NAMESPACE, type PodWish, podObject, prefixed } from "./pod-object.ts";
import { createProcess, type Machine, type Process } from "./process.ts";
import { witnessProofs } from "./proofs.ts";
import { watchQueueLimit } from "./queue-limit.ts";
import { createRandom, type Random } from "./random.ts";
import { type Replica, startReplica } from "./replica.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { createService } from "./service.ts";
import type { Node, TruePod } from "./true-pod.ts";
import { witness } from "./witness.ts";
import { holderOf, type WorkerWish } from "./work.ts";
import { startWorker, type Worker } from "./worker.ts";

/** A pod of the Deployment. A replica that ends is started again. */
export interface Slot {
  machine: Machine;
  replica: Replica;
  line: Line;
}

export interface World {
  scheduler: Scheduler;
  random: Random;
  cluster: Cluster;
  history: Noted[];
  note: Note;
  slots: readonly Slot[];
  nodes: readonly Node[];
  pods: TruePod[];
  workers: { worker: Worker; line: Line }[];
  jobs: TrueJob[];
  /** Holders whose requests nobody may create. */
  refused: ReadonlySet<string>;
  /** The time until which no node has room for another pod. */
  fullUntilMs: number;
  createPod(wish: PodWish, job?: { name: string; uid: string }): void;
  createWorker(wish: WorkerWish): void;
  createJob(name: string, pods: PodWish): void;
  setNode(node: Node, state: Node["state"]): void;
  clientOf(process: Process, line: Line, user: string, onResponse?: (info: ResponseInfo) => void): KubeClient;
}

export interface WorldOptions {
  seed: number;
  replicas: number;
  apiServers: number;
  nodes?: number;
  /** A guard that is switched off. */
  off?: Switch | undefined;
}

/** The number of calls within a second that is noted. */
const MANY_CALLS = 40;
const RESTARTED_AFTER_MS = 3_000;
/** How long the Service still sends connections to a replica that has died. */
const IN_SERVICE_MS = 3_000;
/** The time after a kubelet's last message when its node counts as not ready. */
const NODE_GRACE_MS = 40_000;
const BIND_AGAIN_MS = 1_000;

export function createWorld({ seed, replicas, apiServers, nodes: nodeCount = 3, off }: WorldOptions): World {
  const scheduler = createScheduler();
  const random = createRandom(seed, 2);
  const history: Noted[] = [];
  const note: Note = (fact) => void history.push({ ...fact, atMs: scheduler.nowMs() });
  const slots: Slot[] = [];
  const refused = new Set<string>();
  const webhookNowMs = () => {
    const able = slots.filter(
      ({ replica: { isReady, process } }) => isReady && !process.isDead && !process.isPaused,
    );
    return able.length === 0 ? undefined : random.pick(able).replica.clock.nowMs();
  };
  const cluster = createCluster(scheduler, { servers: apiServers, admit: admitAs(webhookNowMs, refused) });
  const { store } = cluster;
  const service = createService(scheduler, random, () => slots.map(({ replica }) => replica), off);
  const nodes: Node[] = Array.from({ length: nodeCount }, (_, index) => ({
    name: `node-${index}`,
    machine: { name: `node-${index}`, wallErrorMs: 0 },
    state: "up",
  }));
  const wishes = new Map<string, { wish: PodWish; claim: string | undefined }>();
  let restarts = 0;

  /** When each request (by name) was sent, since it may arrive much later. */
  const askedMs = new Map<string, number>();
  function newLine(): Line {
    const line = createLine(random.pick(cluster.servers), random);
    line.onCreate = (resource, name, sentMs) => {
      if (resource === LEASE_REQUESTS) askedMs.set(name, sentMs);
    };
    return line;
  }
  let calls = { atMs: 0, times: 0 };
  function countCall({ resource: { plural } }: CallInfo): void {
    // The raw paths, which no event makes anybody read.
    if (plural.startsWith("/")) return;
    const nowMs = scheduler.nowMs();
    if (nowMs < calls.atMs + 1_000) return void calls.times++;
    if (calls.times > MANY_CALLS) note({ what: "called", times: calls.times });
    calls = { atMs: nowMs, times: 1 };
  }
  const clientOf: World["clientOf"] = (process, line, user, onResponse) =>
    createSimClient({ scheduler, store, process, line, user, ...defined({ onResponse }) });

  function launch(machine: Machine, onEnd: () => void): Pick<Slot, "replica" | "line"> {
    const process = createProcess(scheduler, machine, machine.name);
    const line = newLine();
    line.onCall = countCall;
    const clock = createServerClock(
      off?.measuresByTimeOfDay ? { ...process.clock, monotonicMs: process.clock.nowMs } : process.clock,
    );
    const observe = off?.goesByItsOwnTime ? () => undefined : clock.observe;
    const plain = clientOf(process, line, KONDUCTOR, observe);
    const client = off?.client?.(plain) ?? plain;
    const identity = `${machine.name}-${++restarts}`;
    const replica = startReplica({ client, process, clock, line, identity });
    process.onDeath(() => {
      note({ what: "upset", by: "end" });
      service.reset(process);
      scheduler.after(IN_SERVICE_MS, () => {
        replica.isReady = false;
      });
      scheduler.after(RESTARTED_AFTER_MS + IN_SERVICE_MS, onEnd);
    });
    return { replica, line };
  }
  function startSlot(machine: Machine): Slot {
    const again = () => void Object.assign(slot, launch(machine, again));
    const slot: Slot = { machine, ...launch(machine, again) };
    return slot;
  }

  store.create(ADMIN, NAMESPACES, { metadata: { name: NAMESPACE } });
  store.create(ADMIN, NAMESPACES, { metadata: { name: SYSTEM_NAMESPACE } });
  const ready = (status: "True" | "Unknown") => ({ status: { conditions: [{ type: "Ready", status }] } });
  for (const { name } of nodes) store.create(CONTROLLERS, NODES, { metadata: { name }, ...ready("True") });

  const world: World = {
    ...{ scheduler, random, cluster, history, note, slots, nodes, refused, clientOf },
    fullUntilMs: 0,
    pods: [],
    workers: [],
    jobs: [],
    createPod(wish, job) {
      if (wish.isRefused) refused.add(wish.name);
      wishes.set(wish.name, { wish, claim: wish.annotations["gate"] === "job" ? job?.uid : undefined });
      store.create(ADMIN, PODS, { ...podObject(wish, job) });
    },
    createWorker(wish) {
      const machine = { name: wish.name, wallErrorMs: wish.wallErrorMs ?? 0 };
      const line = newLine();
      const launch = () => {
        const process = createProcess(scheduler, machine, wish.name);
        const plain = { client: clientOf(process, line, `user-of-${holderOf(wish)}`), clock: process.clock };
        return { process, ...(off?.worker?.(plain) ?? plain) };
      };
      world.workers.push({ worker: startWorker({ launch, random, wish, note }), line });
    },
    createJob(name, pods) {
      world.jobs.push(createJob(cluster, random, { name, pods }, world.createPod));
    },
    setNode(node, state) {
      if (node.state === "dead") return;
      node.state = state;
      const ofNode = world.pods.filter((pod) => pod.node === node);
      if (state === "up") for (const pod of ofNode) pod.look();
      else for (const { claim } of ofNode) note({ what: "troubled", claim, why: `its node is ${state}` });
      if (state === "dead") for (const pod of ofNode) pod.die();
      scheduler.after(state === "up" ? 1_000 : NODE_GRACE_MS, () => {
        if (node.state !== state) return;
        const body = ready(state === "up" ? "True" : "Unknown");
        store.patch(CONTROLLERS, NODES, { name: node.name }, { type: "merge", body }, "status");
      });
    },
  };

  /** The scheduler of Kubernetes, and each kubelet's watch. */
  store.onChange(({ type, resource, object }) => {
    if (resource !== PODS) return;
    const { name, uid, deletionTimestamp } = metadataOf(object);
    const spec = record(object["spec"]);
    const isBound = spec["nodeName"] !== undefined;
    if (type === "DELETED" || deletionTimestamp !== undefined)
      for (const pod of world.pods) if (pod.uid === uid) pod.look();
    if (type === "DELETED" || isBound || list(spec["schedulingGates"]).length > 0) return;
    scheduler.after(random.between(20, 200), () => bind(String(name), String(uid)));
  });
  function bind(name: string, uid: string): void {
    if (scheduler.nowMs() < world.fullUntilMs) {
      scheduler.after(BIND_AGAIN_MS, () => bind(name, uid));
      return;
    }
    const ref = { namespace: NAMESPACE, name };
    const found = store.find(PODS, ref);
    const planned = wishes.get(name);
    const isWaiting = metadataOf(found)["uid"] === uid && record(found?.["spec"])["nodeName"] === undefined;
    if (!planned || !isWaiting) return;
    const { wish, claim = uid } = planned;
    const up = nodes.filter(({ state }) => state !== "dead");
    const node = up[wish.node % Math.max(1, up.length)];
    if (!node) return;
    store.patch(CONTROLLERS, PODS, ref, { type: "merge", body: { spec: { nodeName: node.name } } });
    noteLimits(note, claim, prefixed(wish.annotations));
    world.pods.push(startPod({ cluster, random, service, note, node, wish, uid, claim, off }));
    if (node.state !== "up") note({ what: "troubled", claim, why: `its node is ${node.state}` });
  }

  function canUse({ spec: { ref } }: LeaseRequest): boolean {
    if (!ref) return true;
    const found = store.find(ref.kind === "Job" ? JOBS : PODS, { namespace: NAMESPACE, name: ref.name });
    if (!found || metadataOf(found)["uid"] !== ref.uid) return false;
    return ref.kind === "Job" ? canUseJob(parseJob(found)) : canUseGrant(parsePod(found));
  }
  const renews = (claim: string) =>
    !store.list(PODS, NAMESPACE).some((pod) => {
      const { uid, annotations } = metadataOf(pod);
      return uid === claim && record(annotations)[ANNOTATION.renew] === "false";
    });
  witness(cluster, note, { canUse, askedMs, renews });
  witnessDismissals(cluster, note, world.pods);
  watchQueueLimit(cluster, note);
  witnessProofs(cluster, note);
  for (let index = 0; index < replicas; index++)
    slots.push(startSlot({ name: `konductor-${index}`, wallErrorMs: 0 }));
  return world;
}

/** The klease as it is. */
export const leaseOf = ({ cluster: { store } }: Pick<World, "cluster">, name: string) =>
  store.find(LEASES, { namespace: NAMESPACE, name });
