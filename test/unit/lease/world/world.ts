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
import type { LeaseSpec } from "../../../../src/lease/types.ts";
import { type Api, Broken, createApi, START_MS } from "./api.ts";
import { type Arbiter, createArbiter, KINDS } from "./arbiter.ts";
import { ALL_GUARDS, type Guards } from "./guards.ts";
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
  create(kind: PodKind): void;
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
  const arbiters = [0, 1].map(() => createArbiter({ api, now, guards, isNodeOutOfService, isNodeReady }));
  api.createLease(spec);

  function check(): void {
    const running = pods.filter(({ main, node }) => main === "running" && node !== "dead");
    if (running.length > 1)
      throw new Broken(`I1: ${running.map(({ name }) => name).join(" and ")} run at once`);
  }

  return {
    api,
    node,
    replica,
    pods,
    arbiters,
    taints,
    create(kind) {
      const pod = createPod(pods.length, kind);
      pods.push(pod);
      api.putPod(statusOf(pod));
    },
    pass(ms) {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        nowMs += TICK_MS;
        for (const pod of pods) node.pass(pod);
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
  if (pods.some(({ uid, main, node }) => uid === hold.ref.uid && main === "running" && node !== "dead"))
    return;
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
      if (request.spec.ref && !api.pods().has(request.spec.ref.uid)) api.deleteRequest(request.uid);
    }
    obeyUnreachable(world);
    for (let step = 0; step < 8; step++) {
      for (const arbiter of arbiters) {
        for (const kind of KINDS) arbiter.sync(kind, Number.POSITIVE_INFINITY);
        arbiter.act();
      }
    }
    world.check();
    if (pods.every(({ over, node }) => over || node === "dead") && !api.lease()?.status.hold) return;
    world.pass(1_000);
  }
  const left = pods
    .filter(({ over, node }) => !over && node !== "dead")
    .map(({ name, gate, main }) => `${name} ${gate} ${main}`);
  throw new Broken(
    `I3: ${left.join(", ")} never got to run; hold: ${JSON.stringify(api.lease()?.status.hold)}`,
  );
}
