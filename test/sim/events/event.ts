import { LEASES, PODS } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { podsOf } from "../../../src/lease/hold.ts";
import { ADMIN } from "../admission.ts";
import { Refused } from "../api/refused.ts";
import { LEASE_NAME, metadataOf, NAMESPACE, type PodWish } from "../pod-object.ts";
import type { TruePod } from "../true-pod.ts";
import { claimOf } from "../witness.ts";
import type { WorkerWish } from "../work.ts";
import { leaseOf, type World } from "../world.ts";

export interface Event {
  atMs: number;
  what: string;
  /** Which pod (0: the one that runs or holds), replica or node. */
  who: number;
  /** A duration or an amount. */
  ms: number;
  /** Which of several variants. */
  kind: number;
  pod?: PodWish;
  worker?: WorkerWish;
}

/** With lease, kleases are deleted and created again under reachable holders. With harsh, nodes and pods vanish without notice. */
export type Profile = "harsh" | "lease";

export interface Kind {
  /** The frequency, relative to other kinds. */
  weight: number;
  profile?: Profile;
  act(world: World, event: Event): void;
}

export const LEASE = { namespace: NAMESPACE, name: LEASE_NAME };
export const pick = <T>(from: readonly T[], index: number): T | undefined =>
  from[index % Math.max(1, from.length)];
export const slotOf = ({ slots }: World, { who }: Event) => pick(slots, who);
/** The replica that is meant: the leader, half of the time. */
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

/** Ignores a refusal, as users do. */
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
    /** Whether the Job controller deletes the hold's pods at once when it is revoked. */
    vanishes: hold.ref.kind === "Job" && seen.some((pod) => pod?.wish.graceSeconds === 0),
    isForced: lease.forced?.token === hold.token,
    /** Whether all pods under the hold can be seen. */
    isSeen: seen.every(
      (pod) =>
        pod?.node.state === "up" &&
        metadataOf(world.cluster.store.find(PODS, { namespace: NAMESPACE, name: pod.name }))["uid"] ===
          pod.uid,
    ),
  };
}
