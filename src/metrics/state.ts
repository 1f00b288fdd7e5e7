/**
 * What is looked up at each scrape. Every replica knows the same queues, but the arbiter alone reports them: the sum over all replicas is
 * right, and while no arbiter is elected there is no number.
 */
import { Gauge, type Registry } from "prom-client";
import type { Reflector } from "../kube/reflector.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import { HOLD_BACK_RULES } from "../lease/policies/policy.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import { BY_LEASE } from "../objects/caches.ts";
import type { Clock } from "../shared/clock.ts";
import { queueOf } from "./queues.ts";

/** Which klease has series of its own. */
export interface LeaseName {
  namespace: string;
  name: string;
}

/** What a replica can be asked. */
export interface ReplicaState {
  caches: { leases: Cache<Lease>; requests: Cache<LeaseRequest> } & Readonly<
    Record<"pods" | "jobs" | "nodes", Pick<Reflector<never>, "lastEventMonotonicMs">>
  >;
  isLeader(): boolean;
  openStreams(): number;
  /** When the serving certificate expires. */
  certificateNotAfterMs(): number;
  /** kleases with series of their own. */
  leases: readonly LeaseName[];
  clock: Pick<Clock, "nowMs" | "monotonicMs">;
}

type Cache<T> = Pick<Reflector<T>, "store" | "lastEventMonotonicMs">;

const PER_LEASE = ["lease_namespace", "lease"] as const;
const seconds = (ms: number) => ms / 1_000;

export function declareState(registry: Registry, state: ReplicaState): void {
  const { caches, isLeader, clock } = state;
  const registers = [registry];

  function gauge(name: string, help: string, value: () => number): void {
    new Gauge({ name, help, registers, collect: set(value) });
  }

  function arbiterGauge(name: string, help: string, value: () => number): void {
    gauge(name, help, () => (isLeader() ? value() : Number.NaN));
  }

  /** A number that is none leaves no sample. */
  function set(value: () => number) {
    return function (this: Gauge): void {
      const now = value();
      if (Number.isNaN(now)) this.remove();
      else this.set(now);
    };
  }

  const leaseOf = ({ namespace, spec }: LeaseRequest) =>
    caches.leases.store.get(keyOf({ namespace, name: spec.lease }));
  const allWaiting = () => queueOf(caches.requests.store.list(), leaseOf, clock.nowMs());
  arbiterGauge("konductor_waiters", "LeaseRequests that wait.", () => allWaiting().waiters);
  arbiterGauge("konductor_oldest_wait_seconds", "How long the oldest waiting LeaseRequest has waited.", () =>
    seconds(allWaiting().oldestWaitMs),
  );
  arbiterGauge(
    "konductor_holders_unreachable",
    "kleases whose holder is gone and not proved to have ended.",
    () =>
      caches.leases.store
        .list()
        .filter(({ status: { hold, awaited } }) => hold?.unreachable || awaited !== undefined).length,
  );
  new Gauge({
    name: "konductor_leases_held_back",
    help: "kleases that a rule of their owner keeps from being granted, by rule.",
    labelNames: ["rule"],
    registers,
    collect() {
      this.reset();
      if (!isLeader()) return;
      for (const rule of HOLD_BACK_RULES) this.set({ rule }, 0);
      for (const lease of caches.leases.store.list()) {
        const held = heldBack(lease, clock.nowMs());
        if (held) this.inc({ rule: held.rule });
      }
    },
  });
  gauge("konductor_arbiter_is_leader", "1: this replica is the arbiter. 0: it is not.", () =>
    isLeader() ? 1 : 0,
  );
  gauge("konductor_gate_streams", "Gates that wait at this replica.", () => state.openStreams());
  gauge(
    "konductor_certificate_not_after_timestamp_seconds",
    "When the serving certificate expires, Unix time.",
    () => seconds(state.certificateNotAfterMs()),
  );
  new Gauge({
    name: "konductor_cache_age_seconds",
    help: "How long ago the API server was last heard on the watch of a resource.",
    labelNames: ["resource"],
    registers,
    collect() {
      for (const [resource, { lastEventMonotonicMs }] of Object.entries(caches))
        if (lastEventMonotonicMs !== undefined)
          this.set({ resource }, seconds(clock.monotonicMs() - lastEventMonotonicMs));
    },
  });
  if (state.leases.length > 0) declareLeases(registry, state);
}

function declareLeases(registry: Registry, { caches, leases, isLeader, clock }: ReplicaState): void {
  const requestsOf = (lease: LeaseName) => caches.requests.store.byIndex(BY_LEASE, keyOf(lease));
  const leaseOf = (lease: LeaseName) => caches.leases.store.get(keyOf(lease));
  const queue = (lease: LeaseName) => queueOf(requestsOf(lease), () => leaseOf(lease), clock.nowMs());
  const holdOf = (lease: LeaseName) => leaseOf(lease)?.status.hold;

  function gauge(name: string, help: string, value: (lease: LeaseName) => number): void {
    new Gauge({
      name,
      help,
      labelNames: PER_LEASE,
      registers: [registry],
      collect() {
        this.reset();
        if (!isLeader()) return;
        for (const lease of leases)
          this.set({ lease_namespace: lease.namespace, lease: lease.name }, value(lease));
      },
    });
  }

  gauge("konductor_lease_waiters", "Who waits for this klease.", (lease) => queue(lease).waiters);
  gauge(
    "konductor_lease_oldest_wait_seconds",
    "How long the first in this klease's queue has waited.",
    (lease) => seconds(queue(lease).oldestWaitMs),
  );
  gauge("konductor_lease_held", "1: this klease is held. 0: it is not.", (lease) => (holdOf(lease) ? 1 : 0));
  gauge("konductor_lease_hold_age_seconds", "How long this klease has been held; 0 if it is not.", (lease) =>
    seconds(Math.max(0, clock.nowMs() - (holdOf(lease)?.acquiredMs ?? clock.nowMs()))),
  );
}
