/**
 * An arbiter as the rules allow it to be: it decides on caches that lag behind, each by any number of events, takes one step
 * at a time, and may stop for ever, or for a while, between two of them. Its timers begin when it does.
 */
import { decide } from "../../../../src/lease/decide.ts";
import type { Decision, HoldTimers, Situation } from "../../../../src/lease/decision.ts";
import type { Evidence } from "../../../../src/lease/evidence.ts";
import { NOT_CONFIRMED } from "../../../../src/lease/order.ts";
import { mayRunUnrecorded, type PodView, provesMainEnded } from "../../../../src/lease/pod.ts";
import type { Lease } from "../../../../src/lease/types.ts";
import type { Api, Versions } from "./api.ts";
import { checkOrder, checkStable } from "./checks.ts";
import type { Guards } from "./guards.ts";

export type Kind = keyof Versions;
export const KINDS: readonly Kind[] = ["lease", "requests", "pods"];
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
  isNodeOutOfService(podUid: string): boolean;
  /** A node that is cut off counts as ready until somebody has noticed. */
  isNodeReady(node: string): boolean;
}

export function createArbiter({ api, now, guards, isNodeOutOfService, isNodeReady }: ArbiterWorld): Arbiter {
  let at: Record<Kind, number>;
  let plan: (() => boolean)[] = [];
  let looked: Map<string, Evidence>;
  let lastSeen: Map<string, PodView>;
  let since: Map<string, number>;

  const cachedLease = () => api.versions.lease[at.lease];
  const cachedRequests = () => [...(api.versions.requests[at.requests]?.values() ?? [])];
  const cachedPods = (): ReadonlyMap<string, PodView> => api.versions.pods[at.pods] ?? new Map();
  const isFresh = () => KINDS.every((kind) => at[kind] === api.versions[kind].length - 1);

  const versionsSeen = () => at.lease + at.requests + at.pods;

  /** How long the condition of this name has been seen to last. */
  function lasted(name: string): number {
    const from = since.get(name) ?? now();
    since.set(name, from);
    return now() - from;
  }

  function timers(lease: Lease | undefined): HoldTimers {
    const hold = lease?.status.hold;
    if (!hold) return { heldForMs: 0, silentForMs: 0, expiredForMs: 0, endingForMs: 0, idleForMs: 0 };
    const evidence = evidenceOf(hold.ref.uid);
    const pod = evidence.is === "present" ? evidence.pod : undefined;
    const isEnding = evidence.is === "gone" || pod?.deletionMs !== undefined || pod?.phase === "Failed";
    const lastRenewalMs = hold.expiresMs - hold.ttlMs;
    return {
      heldForMs: lasted(`held ${hold.token}`),
      silentForMs: guards.monotonicSilence
        ? lasted(`silent ${hold.token} ${hold.renewals} ${hold.confirmed} ${hold.expiresMs}`)
        : now() + CLOCK_ERROR_MS - lastRenewalMs,
      expiredForMs: hold.expired ? lasted(`expired ${hold.token}`) : 0,
      endingForMs: isEnding ? lasted(`ending ${hold.ref.uid}`) : 0,
      idleForMs: 0,
    };
  }

  function evidenceOf(uid: string): Evidence {
    const hold = cachedLease()?.status.hold;
    if (hold?.ref.uid === uid && hold.expired && guards.liveLookAtExpired) look(uid);
    const evidence = looked.get(uid) ?? cached(uid);
    if (evidence.is !== "present" || guards.tokenedProof || hold?.ref.uid !== uid) return evidence;
    const { gate } = evidence.pod;
    if (gate?.state !== "terminated") return evidence;
    return {
      is: "present",
      pod: { ...evidence.pod, gate: { ...gate, message: `acquired ${hold.token}`, finishedMs: 0 } },
    };
  }

  function cached(uid: string): Evidence {
    const pod = cachedPods().get(uid);
    return pod ? { is: "present", pod } : { is: "unknown" };
  }

  /** A live GET. */
  function look(uid: string): void {
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

  function situation(lease: Lease): Situation {
    return {
      lease,
      requests: cachedRequests(),
      evidenceOf: ({ uid }) => evidenceOf(uid),
      // Clients do not occur here.
      isRequestGone: () => false,
      isNodeReady,
      unrecordedHolders: guards.waitForUnrecorded ? unrecordedHolders(lease).length : 0,
      timers: timers(lease),
      wishes: { startTimeoutMs: START_TIMEOUT_MS, continueOnLoss: false },
      nowMs: now(),
    };
  }

  function steps(lease: Lease, decision: Decision): (() => boolean)[] {
    switch (decision.do) {
      case "wait":
      // Pods that wait unscheduled do not occur here, nor do Jobs.
      case "ungate":
      case "resume":
      case "suspend":
        return [];
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
        if (kind === "pods") {
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
      if (!lease) return;
      const asked = situation(lease);
      for (const pod of unrecordedHolders(lease)) if (!pod.selfFencing) deletePod(pod.uid);
      const decision = decide(asked);
      checkStable(asked, decision);
      plan = steps(lease, decision);
    },
    replace() {
      const { lease, requests, pods } = api.versions;
      at = { lease: lease.length - 1, requests: requests.length - 1, pods: pods.length - 1 };
      plan = [];
      looked = new Map();
      since = new Map();
      lastSeen = new Map(cachedPods());
      timers(cachedLease());
    },
  };
  at = { lease: 0, requests: 0, pods: 0 };
  looked = new Map();
  lastSeen = new Map();
  since = new Map();
  return arbiter;
}
