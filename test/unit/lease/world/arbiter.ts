/**
 * An arbiter as the rules allow it to be: it decides on caches that lag behind, each by any number of events, takes one step
 * at a time, and may stop for ever, or for a while, between two of them. Its timers begin when it does.
 */
import { decide } from "../../../../src/lease/decide.ts";
import {
  type Decision,
  EXPIRY_ALLOWANCE_MS,
  type HoldTimers,
  type Situation,
} from "../../../../src/lease/decision.ts";
import {
  type Evidence,
  isPast,
  isProven,
  mayStartPods,
  lastSeen as seenLast,
  wasStarted,
} from "../../../../src/lease/evidence.ts";
import { podRefOf } from "../../../../src/lease/grant.ts";
import { memberOf } from "../../../../src/lease/hold.ts";
import { canUseJob, isJobOver, isSuspendedByUs } from "../../../../src/lease/job.ts";
import { membersOf } from "../../../../src/lease/judge-job.ts";
import { requestName } from "../../../../src/lease/naming.ts";
import { NOT_CONFIRMED } from "../../../../src/lease/order.ts";
import { isPastGate, type PodView } from "../../../../src/lease/pod.ts";
import { mayRunUnrecorded, provesMainEnded } from "../../../../src/lease/proof.ts";
import type { Lease, LeaseRequest, LeaseSpec } from "../../../../src/lease/types.ts";
import { defined } from "../../../../src/shared/json.ts";
import { passedRun, passMessage } from "../../../../src/shared/names.ts";
import { type Api, type Jobs, LEASE_NAME, type Versions } from "./api.ts";
import { checkOrder, checkStable } from "./checks.ts";
import type { Guards } from "./guards.ts";
import { resumed, suspendedByUs } from "./job.ts";

export type Kind = keyof Versions;
export const KINDS: readonly Kind[] = ["lease", "requests", "pods", "jobs"];
export const START_TIMEOUT_MS = 8_000;

/** By how much this machine's clock is wrong: enough to think a hold over before its keeper does, too little to end every hold. */
const CLOCK_ERROR_MS = 6_000;

export interface Arbiter {
  /** Its caches take in `count` events more of one kind. */
  sync(kind: Kind, count: number): void;
  /** The next of its steps: a write that it had planned, or a look at what is to be done. */
  act(): void;
  /** It died, and another one was elected: consistent lists, and timers from zero. */
  replace(): void;
}

export interface ArbiterWorld {
  api: Api;
  now(): number;
  guards: Guards;
  leaseSpec: LeaseSpec;
  isNodeOutOfService(podUid: string): boolean;
  /** A node that is cut off counts as ready until somebody has noticed. */
  isNodeReady(node: string): boolean;
}

export function createArbiter({
  api,
  now,
  guards,
  leaseSpec,
  isNodeOutOfService,
  isNodeReady,
}: ArbiterWorld): Arbiter {
  let at: Record<Kind, number>;
  let plan: (() => boolean)[] = [];
  let looked: Map<string, Evidence>;
  let lastSeen: Map<string, PodView>;
  let since: Map<string, number>;

  const cachedLease = () => api.versions.lease[at.lease];
  const cachedRequests = () => [...(api.versions.requests[at.requests]?.values() ?? [])];
  const cachedPods = (): ReadonlyMap<string, PodView> => api.versions.pods[at.pods] ?? new Map();
  const cachedJobs = (): Jobs => api.versions.jobs[at.jobs] ?? new Map();
  const isFresh = () => KINDS.every((kind) => at[kind] === api.versions[kind].length - 1);

  const versionsSeen = () => at.lease + at.requests + at.pods + at.jobs;

  /** How long the condition of this name has been seen to last. */
  function lasted(name: string): number {
    const from = since.get(name) ?? now();
    since.set(name, from);
    return now() - from;
  }

  function lastedWhile(isSo: boolean, name: string): number {
    if (isSo) return lasted(name);
    since.delete(name);
    return 0;
  }

  function timers(lease: Lease | undefined): HoldTimers {
    const hold = lease?.status.hold;
    if (!hold) return { heldForMs: 0, silentForMs: 0, expiredForMs: 0, endingForMs: 0, idleForMs: 0 };
    const known = hold.pods ? membersOf({ evidenceOf: ({ uid }) => evidenceOf(uid) }, hold) : undefined;
    const running = (known?.map(({ evidence }) => evidence) ?? [evidenceOf(hold.ref.uid)]).filter(
      (evidence) => !isProven(evidence, hold.token),
    );
    const isEnding = running.every(
      (evidence) => isPast(evidence) || seenLast(evidence)?.deletionMs !== undefined,
    );
    const isIdle = !running.some((evidence) => wasStarted(evidence, hold.token));
    const lastRenewalMs = hold.expiresMs - hold.ttlMs;
    return {
      heldForMs: lasted(`held ${hold.token}`),
      silentForMs: guards.monotonicSilence
        ? lasted(`silent ${hold.token} ${hold.renewals} ${hold.confirmed} ${hold.expiresMs}`)
        : now() + CLOCK_ERROR_MS - lastRenewalMs,
      expiredForMs: hold.expired ? lasted(`expired ${hold.token}`) : 0,
      endingForMs: lastedWhile(isEnding, `ending ${hold.token}`),
      idleForMs: lastedWhile(isIdle, `idle ${hold.token}`),
    };
  }

  function evidenceOf(uid: string): Evidence {
    const hold = cachedLease()?.status.hold;
    const member = hold && memberOf(hold, uid);
    const isHolders = hold !== undefined && (hold.ref.uid === uid || member !== undefined);
    if (isHolders && hold.expired && guards.liveLookAtExpired) look(uid);
    const evidence = looked.get(uid) ?? cached(uid);
    const believesAll = member ? !guards.runProof : !guards.tokenedProof;
    if (evidence.is !== "present" || !believesAll || !isHolders) return evidence;
    const { gate } = evidence.pod;
    if (gate?.state !== "terminated") return evidence;
    const message = passMessage(hold.token, member?.gateRun);
    return { is: "present", pod: { ...evidence.pod, gate: { ...gate, message, finishedMs: 0 } } };
  }

  function cached(uid: string): Evidence {
    const job = cachedJobs().get(uid);
    if (job) return { is: "job", job };
    const pod = cachedPods().get(uid);
    return pod ? { is: "present", pod } : { is: "unknown" };
  }

  /** A live GET. */
  function look(uid: string): void {
    const job = api.jobs().get(uid);
    if (job) {
      looked.set(uid, { is: "job", job });
      return;
    }
    const pod = api.pods().get(uid);
    const last = lastSeen.get(uid);
    const isFinal = last !== undefined && !cachedPods().has(uid);
    const gone: Evidence = {
      is: "gone",
      isFinal,
      nodeOutOfService: isNodeOutOfService(uid),
      ...(last && { last }),
    };
    looked.set(uid, pod ? { is: "present", pod } : gone);
  }

  /** Holds of a deleted Lease that may go on; asked of the API server, since a cache may not know of them yet. */
  function unrecordedHolders(lease: Lease): PodView[] {
    if (lease.status.lastToken !== undefined) return [];
    const tokens = new Map(
      [...api.requests().values()].map(({ spec, status }) => [spec.ref?.uid, status.token] as const),
    );
    return [...api.pods().values()].filter((pod) => {
      const token = tokens.get(pod.uid);
      return mayRunUnrecorded(pod) || (token !== undefined && !provesMainEnded(pod, token, false));
    });
  }

  /** Requests of Jobs that a deleted Lease granted, until pods that are gone have had their ttl. */
  function leftOverJobs(lease: Lease): LeaseRequest[] {
    if (lease.status.lastToken !== undefined) return [];
    return [...api.requests().values()].filter(({ uid, spec, status }) => {
      if (spec.ref?.kind !== "Job" || status.phase !== "Granted") return false;
      const ttlMs = lease.spec.ttlMs + EXPIRY_ALLOWANCE_MS;
      return mayStartPods(evidenceOf(spec.ref.uid)) || lasted(`lapse ${uid}`) < ttlMs;
    });
  }

  /** What src/controller/waiting-jobs.ts does, and the follow-up that makes place for a new request. */
  function queueJobs(lease: Lease | undefined): void {
    for (const job of cachedJobs().values()) {
      if (lease?.status.hold?.ref.uid === job.uid || isJobOver(job)) continue;
      if (!job.suspended) suspend(job.uid);
      const request = [...api.requests().values()].find(({ spec }) => spec.ref?.uid === job.uid);
      const isSpent =
        request && (request.status.phase === "Granted" || request.uid === lease?.status.lastRequest);
      const isLeftOver = request && (!lease || leftOverJobs(lease).includes(request));
      if (isSpent && !isLeftOver && api.lease()?.status.hold?.ref.uid !== job.uid)
        api.deleteRequest(request.uid);
      const ref = { kind: "Job" as const, name: job.name, uid: job.uid };
      const spec = { lease: LEASE_NAME, holder: job.name, ref, requestedAtMs: now() };
      if (!request && canUseJob(job))
        api.createRequest({ name: requestName(LEASE_NAME, ref), spec, status: { phase: "Pending" } });
    }
  }

  function suspend(uid: string): void {
    const live = api.jobs().get(uid);
    const hold = api.lease()?.status.hold;
    const isHolding = hold?.ref.uid === uid && !hold.expired && !hold.revoked;
    if (live && !isHolding && !live.suspended && !isJobOver(live)) api.putJob(suspendedByUs(live));
  }

  function resume(uid: string, token: number): void {
    const live = api.jobs().get(uid);
    const hold = api.lease()?.status.hold;
    const isHolding = hold?.token === token && hold.ref.uid === uid && !hold.expired && !hold.revoked;
    if (live && isHolding && isSuspendedByUs(live) && !isJobOver(live)) api.putJob(resumed(live));
  }

  /** What would be known of who may run, if it were only what the watch of pods shows. */
  function membersSeen(lease: Lease): Lease {
    const { hold } = lease.status;
    if (!hold?.pods || guards.memberList) return lease;
    const seen = [...cachedPods().values()].filter((pod) => pod.job?.uid === hold.ref.uid && isPastGate(pod));
    const pods = seen.map((pod) => ({
      ...podRefOf(pod),
      releasing: false,
      ...defined({ gateRun: passedRun(pod.gate?.message) }),
    }));
    return { ...lease, status: { ...lease.status, hold: { ...hold, pods } } };
  }

  function situation(seen: Lease): Situation {
    const lease = membersSeen(seen);
    return {
      lease,
      requests: cachedRequests(),
      evidenceOf: ({ uid }) => evidenceOf(uid),
      // Clients do not occur here.
      isRequestGone: () => false,
      isNodeReady,
      unrecordedHolders: guards.waitForUnrecorded
        ? unrecordedHolders(lease).length + leftOverJobs(lease).length
        : 0,
      timers: timers(lease),
      wishes: { startTimeoutMs: START_TIMEOUT_MS, continueOnLoss: false },
      nowMs: now(),
    };
  }

  function steps(lease: Lease, decision: Decision): (() => boolean)[] {
    switch (decision.do) {
      case "wait":
      // Pods that wait unscheduled do not occur here.
      case "ungate":
        return [];
      case "resume":
        return [done(() => resume(decision.ref.uid, lease.status.hold?.token ?? 0))];
      case "suspend":
        return [done(() => suspend(decision.ref.uid))];
      case "look":
        return [done(() => look(decision.at.uid))];
      case "retire":
        return [done(() => api.deleteRequest(decision.request.uid))];
      case "deletePod":
        return [done(() => deletePod(decision.ref.uid))];
      case "write": {
        const { passOver, granted, status } = decision;
        const token = status.hold?.token;
        const mark = () =>
          passOver ? api.writeRequest(passOver.uid, { phase: "Pending", reason: NOT_CONFIRMED }) : true;
        const decidedAt = versionsSeen();
        const write = () => {
          if (granted && !passOver && isFresh() && versionsSeen() === decidedAt)
            checkOrder(api, lease, granted);
          return api.writeLease(lease, status);
        };
        const follow = () =>
          granted && token !== undefined ? api.writeRequest(granted.uid, { phase: "Granted", token }) : true;
        return [mark, write, follow];
      }
    }
  }

  const done = (act: () => void) => () => {
    act();
    return true;
  };

  function deletePod(uid: string): void {
    const pod = api.pods().get(uid);
    if (pod && pod.deletionMs === undefined)
      api.putPod({ ...pod, deletionMs: now() + pod.graceSeconds * 1_000 });
  }

  const arbiter: Arbiter = {
    sync(kind, count) {
      for (let left = count; left > 0 && at[kind] < api.versions[kind].length - 1; left--) {
        at[kind]++;
        if (kind === "pods" || kind === "jobs") {
          looked.clear();
          for (const pod of cachedPods().values()) lastSeen.set(pod.uid, pod);
        }
        timers(cachedLease());
      }
    },
    act() {
      const planned = plan.shift();
      if (planned) {
        if (!planned()) plan = [];
        return;
      }
      const lease = cachedLease();
      queueJobs(lease);
      if (!lease) {
        // Somebody has deleted it, and others wait.
        if (cachedJobs().size > 0) api.createLease(leaseSpec);
        return;
      }
      const asked = situation(lease);
      for (const pod of unrecordedHolders(lease)) if (!pod.selfFencing) deletePod(pod.uid);
      const decision = decide(asked);
      checkStable(asked, decision);
      plan = steps(lease, decision);
    },
    replace() {
      const { lease, requests, pods, jobs } = api.versions;
      at = {
        lease: lease.length - 1,
        requests: requests.length - 1,
        pods: pods.length - 1,
        jobs: jobs.length - 1,
      };
      plan = [];
      looked = new Map();
      since = new Map();
      lastSeen = new Map(cachedPods());
      timers(cachedLease());
    },
  };
  at = { lease: 0, requests: 0, pods: 0, jobs: 0 };
  looked = new Map();
  lastSeen = new Map();
  since = new Map();
  return arbiter;
}
