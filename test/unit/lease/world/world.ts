/**
 * A small world in which `decide()` has to keep its promises. It knows the truth: whose main is running. It breaks (throws
 * {@link Broken}) as soon as
 * - I1: two mains run at once;
 * - I2: a fencing token is not greater than all before it;
 * - I3: after everything has come to rest, somebody who could run has not run;
 * - I4: a grant from an up-to-date view goes to another than the first in the queue;
 * - I5: a decision writes what is there, or leads back to what was.
 *
 * Left out, since the design does not cover it: kubelets that are dead while containers run (AfterExpiry), keepers that crash
 * while cut off, `on-lost: continue`; and what an admin says against the truth: a pod deleted by force whose keeper is down and whose
 * node is cut off, or whose Lease is released by force; a Lease deleted while a node is cut off or a pod is deleted by force.
 */
import { isSuspendedByUser } from "../../../../src/lease/job.ts";
import type { LeaseSpec } from "../../../../src/lease/types.ts";
import { type Api, Broken, createApi, START_MS } from "./api.ts";
import { type Arbiter, createArbiter, KINDS } from "./arbiter.ts";
import { ALL_GUARDS, type Guards } from "./guards.ts";
import { control as controlJob, createJob, suspendedByUs, type TrueJob, waitingView } from "./job.ts";
import { createNode, type Node } from "./node.ts";
import { createPod, nodeNameOf, type PodKind, statusOf, type TruePod } from "./pod.ts";
import { createReplica, type Replica } from "./replica.ts";

const TICK_MS = 250;
export const TTL_MS = 15_000;

export interface World {
  api: Api;
  node: Node;
  replica: Replica;
  pods: readonly TruePod[];
  arbiters: readonly Arbiter[];
  /** Nodes whose death an admin has confirmed by a taint. */
  taints: Set<string>;
  jobs: readonly TrueJob[];
  create(kind: PodKind): void;
  createJob(kind: PodKind): void;
  /** The Job controller looks at every Job. */
  control(): void;
  pass(ms: number): void;
  check(): void;
}

export interface WorldOptions {
  guards?: Partial<Guards>;
  leaseSpec?: Partial<LeaseSpec>;
}

export function createWorld({ guards: given = {}, leaseSpec = {} }: WorldOptions = {}): World {
  const guards = { ...ALL_GUARDS, ...given };
  let nowMs = START_MS;
  const now = () => nowMs;
  const pods: TruePod[] = [];
  const jobs: TrueJob[] = [];
  const taints = new Set<string>();
  const api = createApi({
    now,
    spend: () => {
      nowMs += 1;
    },
    unguarded: !guards.guardedWrites,
    ...(!guards.tokensFromBirth && { leaseBirthMs: 1 }),
  });
  const spec = { ttlMs: TTL_MS, priority: 0, renewable: true, ...leaseSpec };
  const replica = createReplica({ api, now, guards, leaseSpec: spec });
  const node = createNode({ api, replica, guards, now });
  const isNodeOutOfService = (uid: string) => taints.has(uid);
  const isNodeReady = (name: string) => pods.every((pod) => pod.node !== "dead" || nodeNameOf(pod) !== name);
  const arbiters = [0, 1].map(() =>
    createArbiter({ api, now, guards, leaseSpec: spec, isNodeOutOfService, isNodeReady }),
  );
  api.createLease(spec);

  function check(): void {
    const running = pods.filter(({ main, node }) => main === "running" && node !== "dead");
    // The pods of a Job that waited as a whole may run side by side.
    if (new Set(running.map(({ uid, job }) => job?.uid ?? uid)).size > 1)
      throw new Broken(`I1: ${running.map(({ name }) => name).join(" and ")} run at once`);
  }

  function addPod(kind: PodKind, job?: TrueJob): void {
    const pod = createPod(pods.length, kind, job && { name: job.name, uid: job.uid });
    pods.push(pod);
    api.putPod(statusOf(pod));
  }

  function control(): void {
    for (const job of jobs) controlJob(api, job, () => addPod(job, job));
  }

  return {
    api,
    node,
    replica,
    pods,
    arbiters,
    taints,
    jobs,
    create: (kind) => addPod(kind),
    createJob(kind) {
      const job = createJob(jobs.length, kind);
      jobs.push(job);
      api.putJob(waitingView(job));
    },
    control,
    pass(ms) {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        nowMs += TICK_MS;
        for (const pod of pods) node.pass(pod);
        if (jobs.length > 0) control();
        check();
      }
    },
    check,
  };
}

/** The condition says who must act: an admin, who looks whether the holder runs and then releases the Lease by force. */
function obeyUnreachable({ api, pods }: World): void {
  const lease = api.lease();
  const hold = lease?.status.hold;
  if (!lease || !hold?.unreachable) return;
  const isUnder = ({ uid, job }: TruePod) => (job?.uid ?? uid) === hold.ref.uid;
  if (pods.some((pod) => isUnder(pod) && pod.main === "running" && pod.node !== "dead")) return;
  if (lease.forced?.token !== hold.token)
    api.changeLease({ forced: { token: hold.token, by: "admin", now: true } });
}

/** After the events have stopped, everybody behaves well, until nothing is left to be done; then I3 is looked at. */
export function settle(world: World): void {
  const { api, node, pods, arbiters, taints } = world;
  for (const pod of pods) {
    pod.muted = false;
    pod.deaf = false;
    if (pod.node === "cut") pod.node = "up";
    if (pod.node !== "dead") continue;
    // The admin does what HolderUnreachable asks for, and the pod garbage collector follows.
    taints.add(pod.uid);
    api.removePod(pod.uid);
  }
  for (const arbiter of arbiters) arbiter.replace();
  for (const view of api.jobs().values()) {
    // Its user takes it back, by which it waits for its turn.
    if (isSuspendedByUser(view)) api.putJob(suspendedByUs(view));
  }
  for (let seconds = 0; seconds < 240; seconds++) {
    for (const pod of pods) {
      node.observeDeletion(pod);
      node.restartKeeper(pod);
      node.gate(pod);
      node.startMain(pod);
      if (seconds % 3 === 2) node.exitMain(pod, 0);
      node.finish(pod);
      if (pod.main === "ended" && pod.mainExit !== 0) node.restartMain(pod);
      while (pod.node === "up" && pod.outbox.length > 0) node.deliver(pod);
      node.deliver(pod);
    }
    for (const request of api.requests().values()) {
      const { ref } = request.spec;
      if (ref && !api.pods().has(ref.uid) && !api.jobs().has(ref.uid)) api.deleteRequest(request.uid);
    }
    obeyUnreachable(world);
    for (let step = 0; step < 8; step++) {
      for (const arbiter of arbiters) {
        for (const kind of KINDS) arbiter.sync(kind, Number.POSITIVE_INFINITY);
        arbiter.act();
      }
    }
    world.check();
    const isDone =
      pods.every(({ over, node }) => over || node === "dead") &&
      [...api.jobs().values()].every(({ over }) => over);
    if (isDone && !api.lease()?.status.hold) return;
    world.pass(1_000);
  }
  const left = pods
    .filter(({ over, node }) => !over && node !== "dead")
    .map(({ name, gate, main }) => `${name} ${gate} ${main}`);
  const jobsLeft = [...api.jobs().values()].filter(({ over }) => !over);
  throw new Broken(
    `I3: ${[...left, ...jobsLeft.map(({ name, suspended }) => `${name} ${suspended ? "suspended" : ""}`)].join(", ")} never got to run; hold: ${JSON.stringify(api.lease()?.status.hold)}`,
  );
}
