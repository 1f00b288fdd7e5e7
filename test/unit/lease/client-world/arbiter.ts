/**
 * An arbiter as the rules allow it to be: real rules and clocks on caches that lag behind, each by any number of events; it takes one
 * step at a time, and may stop for ever, or for a while, between two of them. Each step is one call of the API server.
 */
import { isDeepStrictEqual } from "node:util";
import { deletableAtMs, type FollowUp, followUps } from "../../../../src/controller/follow-ups.ts";
import { createHoldClock } from "../../../../src/controller/hold-clock.ts";
import { createLapseClock } from "../../../../src/controller/lapse-clock.ts";
import { countUnrecorded } from "../../../../src/controller/unrecorded-holders.ts";
import { createObjectCache, type ObjectCache } from "../../../../src/kube/object-cache.ts";
import { decide } from "../../../../src/lease/decide.ts";
import type { Decision, HoldTimers, Situation } from "../../../../src/lease/decision.ts";
import { grantedStatus, holdTtlMs } from "../../../../src/lease/grant.ts";
import { changeHold } from "../../../../src/lease/hold.ts";
import { isWaiting } from "../../../../src/lease/order.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../../../src/lease/types.ts";
import type { Clock } from "../../../../src/shared/clock.ts";
import type { Api, Told } from "./api.ts";
import { checkSteady } from "./checks.ts";
import type { Guards } from "./guards.ts";
import { noPods } from "./no-pods.ts";

export const KINDS = ["leases", "requests"] as const;
export type Kind = (typeof KINDS)[number];

/** By how much this machine's clock is wrong where it measures silence: enough to think a hold over before its client does. */
const SILENCE_ERROR_MS = 6_000;
const HOLDS_NOTHING: HoldTimers = {
  heldForMs: 0,
  silentForMs: 0,
  expiredForMs: 0,
  endingForMs: 0,
  idleForMs: 0,
};

export interface Arbiter {
  /** Its caches take in `count` events more of one kind. */
  sync(kind: Kind, count: number): void;
  /** The next of its steps: one that it had planned, or a look at what is to be done. Whether it came forward. */
  act(): boolean;
  /** It died, and another one was elected: consistent lists, and clocks from zero. */
  replace(): void;
}

export interface ArbiterWorld {
  api: Api;
  guards: Guards;
  clock: Clock;
  /** Of a Lease that it creates. */
  defaultTtlMs: number;
}

/** Whether the steps planned after this one still make sense. */
type Step = () => boolean;

export function createArbiter({ api, guards, clock, defaultTtlMs }: ArbiterWorld): Arbiter {
  const holdClock = createHoldClock(clock);
  const lapseClock = createLapseClock(clock);
  const leases = createObjectCache<Lease>({
    notify: ({ type, object }) =>
      type === "deleted" ? holdClock.forget(keyOf(object)) : holdClock.observe(object),
  });
  const requests = createObjectCache<LeaseRequest>({ notify: () => undefined });
  const taken = { leases: 0, requests: 0 };
  const gone = new Set<string>();
  let planned: Step[] = [];

  const hasLapsed = (lease: Lease) => (request: LeaseRequest) =>
    lapseClock.hasLapsed(request, lease.spec.ttlMs);

  function timers(lease: Lease): HoldTimers {
    const { hold } = lease.status;
    if (!hold) return HOLDS_NOTHING;
    const seen = holdClock.timers(lease);
    const lastRenewalMs = hold.expiresMs - hold.ttlMs;
    return guards.monotonicSilence
      ? seen
      : { ...seen, silentForMs: clock.nowMs() + SILENCE_ERROR_MS - lastRenewalMs };
  }

  function situationOf(lease: Lease, known: readonly LeaseRequest[]): Situation {
    const evidenceOf: Situation["evidenceOf"] = () => ({ is: "unknown" });
    return {
      lease,
      requests: known,
      evidenceOf,
      isRequestGone: (uid) => gone.has(uid),
      isNodeReady: () => true,
      unrecordedHolders: guards.waitForUnrecorded
        ? countUnrecorded(lease, known, { caches: { pods: noPods }, evidenceOf, lapseClock })
        : 0,
      timers: timers(lease),
      wishes: { startTimeoutMs: Number.POSITIVE_INFINITY, continueOnLoss: false },
      nowMs: clock.nowMs(),
    };
  }

  /** The hold as if it had the ttl of a new one. */
  function withNewTtl(lease: Lease, known: readonly LeaseRequest[]): Lease {
    const request = known.find(({ uid }) => uid === lease.status.hold?.ref.uid);
    const ttlMs = holdTtlMs(lease, request?.spec.ttlMs, undefined);
    return { ...lease, status: changeHold(lease.status, { ttlMs }) };
  }

  function plan(): Step[] {
    const [cached] = leases.store.list();
    const known = requests.store.list().filter(({ uid }) => !gone.has(uid));
    if (!cached) return recreate(known);
    const lease = guards.keepCountedTtl ? cached : withNewTtl(cached, known);
    const situation = situationOf(lease, known);
    checkSteady(situation, hasLapsed(lease));
    return steps(decide(situation), situation);
  }

  function steps(decision: Decision, situation: Situation): Step[] {
    const { lease } = situation;
    switch (decision.do) {
      case "wait":
        // One that fails does not keep back the others.
        return followUps({ ...situation, hasLapsed: hasLapsed(lease) }).map((step) => () => {
          take(step, lease);
          return true;
        });
      case "look":
        return [() => look(decision.at.name, decision.at.uid)];
      case "retire":
        return [() => remove(decision.request)];
      case "write": {
        const { trace, granted, status } = decision;
        const { hold } = status;
        const isFirst = granted && lease.status.lastToken === undefined;
        return [
          ...(isFirst && guards.listUnrecorded ? [list] : []),
          ...(trace && hold && guards.traceFirst ? [() => mark(trace, grantedStatus(trace, hold))] : []),
          () => {
            const written = api.writeLease(lease, status);
            if (written) leases.apply(written);
            else refresh();
            return written !== undefined;
          },
        ];
      }
      default:
        throw new Error(`there are no pods here to ${decision.do}`);
    }
  }

  function take(step: FollowUp, lease: Lease): void {
    switch (step.do) {
      case "deny":
        if (!hasChanged(lease)) mark(step.request, step.status);
        return;
      case "mark":
        if (step.status.phase === "Granted" || !guards.lookBeforeEnd || !hasChanged(lease))
          mark(step.request, step.status);
        return;
      case "delete":
        remove(step.request);
        return;
      case "putBack":
        throw new Error("there are no pods here");
    }
  }

  /** Without a Lease: what is over goes, and whoever waits gets one. */
  function recreate(known: readonly LeaseRequest[]): Step[] {
    const isOver = (request: LeaseRequest) =>
      request.status.phase === "Granted"
        ? lapseClock.hasLapsed(request, defaultTtlMs)
        : deletableAtMs(request) < clock.nowMs();
    const over = known.filter(isOver);
    const first = known.find((request) => isWaiting(request) && !isOver(request));
    const spec = { ttlMs: first?.spec.ttlMs ?? defaultTtlMs, priority: 0, renewable: true };
    return [
      ...(over.length > 0 && guards.lookBeforeEnd ? [() => !refresh()] : []),
      ...over.map((request) => () => remove(request)),
      ...(first ? [() => create(spec)] : []),
    ];
  }

  function create(spec: Lease["spec"]): boolean {
    const created = api.createLease(spec);
    if (created) leases.apply(created);
    return created !== undefined;
  }

  /** A live GET of the Lease: whether there is one. */
  function refresh(): boolean {
    const live = api.lease();
    if (live) leases.apply(live);
    return live !== undefined;
  }

  function hasChanged({ resourceVersion }: Lease): boolean {
    refresh();
    return api.lease()?.resourceVersion !== resourceVersion;
  }

  /** A live LIST of the requests: whether it shows nothing new. */
  function list(): boolean {
    const before = requests.store.list();
    for (const request of api.requests().values()) requests.apply(request);
    return isDeepStrictEqual(before, requests.store.list());
  }

  function look(name: string, uid: string): boolean {
    const found = api.requests().get(name);
    if (found) requests.apply(found);
    if (found?.uid !== uid) gone.add(uid);
    return true;
  }

  function mark(request: LeaseRequest, status: LeaseRequest["status"]): boolean {
    if (isDeepStrictEqual(request.status, status)) return true;
    const written = api.writeRequest(request, status);
    if (written) requests.apply(written);
    else refresh();
    return written !== undefined;
  }

  function remove({ uid, resourceVersion }: LeaseRequest): boolean {
    const isDeleted = api.deleteRequest({ uid, ...(guards.guardedDeletes && { resourceVersion }) });
    if (isDeleted) gone.add(uid);
    return isDeleted;
  }

  function takeIn<T extends Lease | LeaseRequest>(cache: ObjectCache<T>, { isGone, object }: Told<T>): void {
    if (isGone) cache.observeDeletion(object);
    else cache.observe(object);
  }

  function sync(kind: Kind, count: number): void {
    for (let left = count; left > 0; left--) {
      if (kind === "leases") {
        const told = api.leaseEvents[taken.leases];
        if (!told) return;
        taken.leases++;
        takeIn(leases, told);
      } else {
        const told = api.requestEvents[taken.requests];
        if (!told) return;
        taken.requests++;
        takeIn(requests, told);
      }
    }
  }

  return {
    sync,
    act() {
      const step = planned.shift();
      if (!step) planned = plan();
      else if (!step()) planned = [];
      else return true;
      return planned.length > 0;
    },
    replace() {
      for (const kind of KINDS) sync(kind, Number.POSITIVE_INFINITY);
      planned = [];
      holdClock.reset();
      lapseClock.reset();
      for (const lease of leases.store.list()) holdClock.observe(lease);
    },
  };
}
