import { LEASES, PODS } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { podsOf } from "../../../src/lease/hold.ts";
import { ADMIN } from "../admission.ts";
import { Refused } from "../api/refused.ts";
import { LEASE_NAME, NAMESPACE, type PodWish } from "../pod-object.ts";
import type { TruePod } from "../true-pod.ts";
import { claimOf } from "../witness.ts";
import type { WorkerWish } from "../work.ts";
import { leaseOf, type World } from "../world.ts";

export interface Event {
  atMs: number;
  what: string;
  /** Which pod (0: the one that runs or holds), replica, node. */
  who: number;
  /** How long, how much. */
  ms: number;
  /** Which of several kinds. */
  kind: number;
  pod?: PodWish;
  worker?: WorkerWish;
}

/** lease: kleases are deleted and created again, under holders who can be reached; harsh: nodes and pods go without a word. */
export type Profile = "harsh" | "lease";

export interface Kind {
  /** How often, compared with others. */
  weight: number;
  profile?: Profile;
  act(world: World, event: Event): void;
}

export const LEASE = { namespace: NAMESPACE, name: LEASE_NAME };
export const pick = <T>(from: readonly T[], index: number): T | undefined =>
  from[index % Math.max(1, from.length)];
export const slotOf = ({ slots }: World, { who }: Event) => pick(slots, who);
/** The leader is what most is about. */
export const leaderOf = (world: World, event: Event) =>
  (event.kind % 2 === 0 ? world.slots.find(({ replica }) => replica.isLeader()) : undefined) ??
  slotOf(world, event);
export const nodeOf = (world: World, event: Event) => podOf(world, event)?.node;

export function podOf({ pods }: World, { who }: Event): TruePod | undefined {
  const alive = pods.filter(({ isOver }) => !isOver);
  const first =
    alive.find(({ main }) => main === "running") ?? alive.find(({ keeper }) => keeper) ?? alive[0];
  return who % 3 === 0
    ? first
    : pick(
        alive.filter((pod) => pod !== first),
        who,
      );
}

/** Users find out when something cannot be done. */
export function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

export function edit(world: World, body: object): void {
  attempt(() => world.cluster.store.patch(ADMIN, LEASES, LEASE, { type: "merge", body }));
}

export function holdOf(world: World) {
  const found = leaseOf(world, LEASE_NAME);
  const lease = found && parseLease(found);
  const hold = lease?.status.hold;
  if (!lease || !hold) return undefined;
  const seen = podsOf(hold).map(({ uid }) => world.pods.find((pod) => pod.uid === uid));
  return {
    hold,
    claim: claimOf(hold),
    leaseTtlMs: lease.spec.ttlMs,
    /** When it is revoked the Job's controller deletes its pods, which are gone at once. */
    vanishes: hold.ref.kind === "Job" && seen.some((pod) => pod?.wish.graceSeconds === 0),
    isForced: lease.forced?.token === hold.token,
    /** All pods under it can be seen where they are. */
    isSeen: seen.every(
      (pod) =>
        pod?.node.state === "up" && world.cluster.store.find(PODS, { namespace: NAMESPACE, name: pod.name }),
    ),
  };
}
