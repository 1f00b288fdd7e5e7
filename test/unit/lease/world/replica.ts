/**
 * What the gate API does for gates and keepers. A replica reads, computes with the rules of hold.ts, and writes guarded: a
 * conflict makes it read again, so that in the model, where nothing happens in between, it simply succeeds.
 */
import { podRefOf, regrantHold } from "../../../../src/lease/grant.ts";
import {
  endHold,
  holdOf,
  markReleasing,
  mayJoin,
  memberOf,
  openHoldOf,
  removeMember,
  renewHold,
} from "../../../../src/lease/hold.ts";
import { requestName } from "../../../../src/lease/naming.ts";
import type { Hold, Lease, LeaseSpec } from "../../../../src/lease/types.ts";
import { isLaterRun } from "../../../../src/shared/gate-run.ts";
import type { Api } from "./api.ts";
import { LEASE_NAME } from "./api.ts";
import type { Guards } from "./guards.ts";
import { statusOf, type TruePod } from "./pod.ts";

export type Answer = { state: "waiting" } | { state: "granted"; token: number; ttlMs: number };

export interface Replica {
  acquire(pod: TruePod): Answer;
  /** The ttl of the answer; undefined where it was refused. `countedTtlMs`: what the pod counts with until then. */
  renew(pod: TruePod, token: number, countedTtlMs: number, gateRun?: string): number | undefined;
  /** `isCertain`: the times of preStop and SIGTERM show that main has ended. */
  release(pod: TruePod, token: number, isCertain: boolean): void;
  /** An acquire of `pod` that was on its way for long is answered now, whatever its gate does by then. */
  acquireLate(pod: TruePod): void;
}

export interface ReplicaWorld {
  api: Api;
  now(): number;
  guards: Guards;
  leaseSpec: LeaseSpec;
}

export function createReplica({ api, now, guards, leaseSpec }: ReplicaWorld): Replica {
  const requestOf = (uid: string) => [...api.requests().values()].find(({ spec }) => spec.ref?.uid === uid);

  /** One request per pod, good for one hold; asking again ends being passed over. */
  function queue(pod: TruePod, lease: Lease): void {
    const request = requestOf(pod.uid);
    const isSpent =
      request && (request.status.phase !== "Pending" || request.uid === lease.status.lastRequest);
    if (request && isSpent) api.deleteRequest(request.uid);
    if (!request || isSpent) createRequest(pod);
    else if (request.status.reason && guards.unmarkWhoAsks)
      api.writeRequest(request.uid, { phase: "Pending" });
  }

  function createRequest({ uid, name, priority }: TruePod): void {
    const ref = { kind: "Pod" as const, uid, name };
    api.createRequest({
      name: requestName(LEASE_NAME, ref),
      spec: {
        lease: LEASE_NAME,
        holder: name,
        ref,
        requestedAtMs: now(),
        ...(priority !== undefined && { priority }),
      },
      status: { phase: "Pending" },
    });
  }

  function grantAgain(lease: Lease): Hold | undefined {
    const status = regrantHold(lease, api.requests().values(), now());
    api.writeLease(lease, status);
    return status.hold;
  }

  /** The hold of its Job; a gate that has to wait has proved that main has ended. */
  function join(pod: TruePod): Answer {
    const lease = api.lease();
    const hold = lease?.status.hold;
    const open = openHoldOf(lease, pod.job);
    if (lease && open && mayJoin(lease, open, { renew: true }, now()))
      return { state: "granted", token: open.token, ttlMs: open.ttlMs };
    const member = hold && memberOf(hold, pod.uid);
    if (lease && member && isLaterRun(pod.gateRun, member.gateRun))
      api.writeLease(lease, removeMember(lease.status, pod.uid));
    return { state: "waiting" };
  }

  return {
    acquire(pod) {
      if (pod.job) return join(pod);
      api.createLease(leaseSpec);
      let lease = api.lease();
      if (pod.file?.lost && lease && holdOf(lease, { uid: pod.uid, token: pod.file.token })) {
        api.writeLease(lease, endHold(lease, "Fenced", now()));
        lease = api.lease();
      }
      const hold = lease?.status.hold;
      if (lease && hold?.ref.uid === pod.uid) {
        const granted = hold.confirmed ? grantAgain(lease) : hold;
        if (granted) return { state: "granted", token: granted.token, ttlMs: granted.ttlMs };
      }
      if (lease) queue(pod, lease);
      return { state: "waiting" };
    },
    renew(pod, token, countedTtlMs, gateRun) {
      const lease = api.lease();
      if (!lease) return undefined;
      const wantedTtlMs = lease.spec.ttlMs;
      const counted = guards.keepCountedTtl ? countedTtlMs : 0;
      const renewal = {
        ...{ uid: pod.uid, token, countedTtlMs: counted, wantedTtlMs, renew: true },
        ...(pod.job && {
          shared: { job: pod.job, pod: podRefOf(statusOf(pod)) },
          ...(gateRun && { gateRun }),
        }),
      };
      const renewed = renewHold(lease, renewal, now());
      if (!renewed.ok || !api.writeLease(lease, renewed.status)) return undefined;
      const request = requestOf(pod.job?.uid ?? pod.uid);
      // A Lease that is created again must find who was granted what before; the arbiter may have died before it said so.
      if (request && request.status.token !== token)
        api.writeRequest(request.uid, { phase: "Granted", token });
      return wantedTtlMs;
    },
    release(pod, token, isCertain) {
      const lease = api.lease();
      if (!lease || !holdOf(lease, { uid: pod.uid, token })) return;
      const { status } = lease;
      const ended = () => (pod.job ? removeMember(status, pod.uid) : endHold(lease, "Released", now()));
      api.writeLease(lease, isCertain ? ended() : markReleasing(status, pod.uid));
    },
    acquireLate(pod) {
      const lease = api.lease();
      if (pod.job && lease && !guards.laterRunsOnly)
        api.writeLease(lease, removeMember(lease.status, pod.uid));
      if (lease?.status.hold?.ref.uid !== pod.uid) return;
      if (!guards.laterRunsOnly && lease.status.hold.confirmed) grantAgain(lease);
    },
  };
}
