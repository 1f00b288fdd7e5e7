/** Guards while a cache is behind: nothing is concluded from what it no longer shows, or does not show yet. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES, PODS, type Resource } from "../../../src/kube/resources.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { list, record } from "../../../src/shared/json.ts";
import { type Call, calling, isSame, parsedBy, refOf, statusOf } from "./calling.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { seenAs, withStatus } from "./rewriting.ts";
import type { WorkerHas } from "./switch.ts";
import { event, job, pod, until, worker } from "./tale.ts";

type Aligning = typeof import("../../../src/controller/aligning.ts");
type Callers = typeof import("../../../src/server/gate-api/wire/caller.ts");
type FollowUps = typeof import("../../../src/lease/follow-ups.ts");
type LapseClocks = typeof import("../../../src/controller/lapse-clock.ts");
type PodRequests = typeof import("../../../src/server/gate-api/acquire/pod-request.ts");
type Renewals = typeof import("../../../src/server/gate-api/hold/renew-for-pod.ts");
type Skips = typeof import("../../../src/controller/skips.ts");
type Unrecorded = typeof import("../../../src/controller/unrecorded-holders.ts");

/** Watches of the leader. */
const OF_LEADERS_PODS = 0;
const OF_LEADERS_LEASES = 2;
const OF_LEADERS_REQUESTS = 4;
const OF_LEADERS_JOBS = 6;
/** Watches of the replica that `who` names. */
const OF_PODS = 1;
const OF_LEASES = 3;
const OF_REQUESTS = 5;

interface Known {
  client: KubeClient;
  caches: Partial<Record<"leases" | "pods", { store: { get(key: string): unknown } }>>;
}

/** Answers live looks at `resource` from the cache. */
function lookingAtCaches<T extends Known>(options: T, resource: Resource): T {
  const { leases, pods } = options.caches;
  const cache = isSame(resource, PODS) ? pods : leases;
  const get =
    (call: Call): Call =>
    async (looked, ref, ...parse) => {
      const { namespace = "", name } = refOf(ref);
      const found = isSame(looked, resource) ? cache?.store.get(keyOf({ namespace, name })) : undefined;
      return found ?? call(looked, ref, ...parse);
    };
  return { ...options, client: calling(options.client, { get }) };
}

/** Deletes also what has changed since it was read. */
function deletingAnyVersion<T extends { client: KubeClient }>(options: T): T {
  const remove =
    (call: Call): Call =>
    (resource, ref, preconditions) =>
      call(resource, ref, { ...record(preconditions), resourceVersion: undefined });
  return { ...options, client: calling(options.client, { delete: remove }) };
}

/** Shows a missing object as it was last seen. */
function missingNothing(client: KubeClient): KubeClient {
  const known = new Map<string, unknown>();
  const get =
    (call: Call): Call =>
    async (resource, ref, ...parse) => {
      const key = `${resource.plural} ${refOf(ref).name}`;
      try {
        known.set(key, await call(resource, ref));
      } catch (error) {
        if (!known.has(key)) throw error;
      }
      return parsedBy(parse, known.get(key));
    };
  return calling(client, { get });
}

/** Shows every request of the holder as that of its hold. */
const ofHold =
  ({ status: { hold } }: Lease) =>
  (request: LeaseRequest): LeaseRequest =>
    hold && request.spec.ref?.uid === hold.ref.uid
      ? { ...request, status: { ...request.status, token: hold.token } }
      : request;

/** Makes a request unreadable after its guarded deletion has failed. */
function looksAtNoneThatChanged(client: KubeClient): KubeClient {
  const changed = new Set<string>();
  return calling(client, {
    delete:
      (call) =>
      async (resource, ref, ...rest) => {
        try {
          return await call(resource, ref, ...rest);
        } catch (error) {
          if (resource === LEASE_REQUESTS) changed.add(refOf(ref).name);
          throw error;
        }
      },
    get:
      (call) =>
      async (resource, ref, ...parse) => {
        if (resource === LEASE_REQUESTS && changed.delete(refOf(ref).name))
          throw new KonductorError("Unreachable", "it is not looked at");
        return call(resource, ref, ...parse);
      },
  });
}

/** The klease does not tell clients which grants were taken back. */
const forgetsTakenBack = ({ client, ...has }: WorkerHas): WorkerHas => ({
  ...has,
  client: seenAs(client, (lease) => {
    const kept = list(statusOf(lease)["history"]).filter((past) => record(past)["reason"] !== "NotConfirmed");
    return withStatus(lease, { history: kept });
  }),
});

/** Changes of a pod by its user. */
const LONGER_MAX_HOLD = 0;
const READABLE = 1;

/** A CronJob of which one run may wait. */
const OF_A_CRON_JOB = { annotations: { "max-waiting": "1" }, worksForMs: 500 };

export const BEHIND: Record<string, Guard> = {
  "a pod's request is deleted only after a live look at its klease": {
    rule: "two",
    replicas: 3,
    // The first run's acquire arrives while main runs under the second run's hold, at a replica that does not know that yet.
    tale: [
      pod(2_600, "first", { worksForMs: 20_000 }),
      event(2_801, "lateCalls", { ms: 8_000 }),
      event(3_300, "killGate"),
      ...[0, 1, 2].map((who) => event(7_600, "stallWatch", { who, kind: OF_PODS, ms: 10_000 })),
      ...[0, 1, 2].map((who) => event(7_600, "stallWatch", { who, kind: OF_LEASES, ms: 2_200 })),
      pod(10_100, "second", { node: 1, worksForMs: 5_000, annotations: { priority: "2" } }),
      event(12_100, "deleteLease"),
    ],
    off: {
      modules: [
        replaced<PodRequests>("src/server/gate-api/acquire/pod-request.ts", ({ ensureRequest }) => ({
          ensureRequest: (options, ...rest) => ensureRequest(lookingAtCaches(options, LEASES), ...rest),
        })),
      ],
    },
  },
  "a left-over hold's ttl counts from when nothing records it": {
    rule: "two",
    replicas: 2,
    // The new leader has seen the request that its predecessor, which still leads, has granted, but not the klease yet.
    tale: [
      event(9_050, "deposeLeader"),
      event(9_850, "stallWatch", { who: 1, kind: OF_REQUESTS, ms: 500 }),
      event(9_850, "stallWatch", { who: 1, kind: OF_LEASES, ms: 1_000 }),
      worker(9_900, "a", { worksForMs: 60_000 }),
      worker(15_000, "b", { priority: 2 }),
      event(40_000, "deleteLease"),
    ],
    off: {
      modules: [
        replaced<LapseClocks>("src/controller/lapse-clock.ts", ({ createLapseClock }) => ({
          createLapseClock: (clock) => ({ ...createLapseClock(clock), forget: () => false }),
        })),
      ],
    },
  },
  "a pod is looked at before its annotations end its renewals": {
    rule: "healthy",
    tale: [
      pod(500, "first", { annotations: { "max-hold": "30s" }, worksForMs: 60_000 }),
      event(9_000, "stallWatch", { kind: OF_LEADERS_PODS, ms: 15_000 }),
      event(10_000, "annotatePod", { kind: LONGER_MAX_HOLD }),
      until(40_000),
    ],
    off: {
      modules: [
        replaced<Renewals>("src/server/gate-api/hold/renew-for-pod.ts", ({ renew }) => ({
          renew: (options, ...rest) => renew(lookingAtCaches(options, PODS), ...rest),
        })),
      ],
    },
  },
  "a pod is looked at before it is refused for its annotations": {
    rule: "forgotten",
    tale: [
      event(1_900, "cutReplicaFromGates", { ms: 3_000 }),
      pod(2_000, "first", { annotations: { "start-timeout": "soon" }, restartPolicy: "Never" }),
      event(2_500, "stallWatch", { kind: OF_LEADERS_PODS, ms: 5_000 }),
      event(3_000, "annotatePod", { kind: READABLE }),
      until(10_000),
    ],
    off: {
      modules: [
        replaced<Callers>("src/server/gate-api/wire/caller.ts", ({ settingsOf }) => ({
          settingsOf: ({ client }, pod) =>
            settingsOf({ client: calling(client, { get: () => async () => pod }) }, pod),
        })),
      ],
    },
  },
  "a pod is looked at live before it is deleted because of a hold of a deleted klease": {
    rule: "forgotten",
    // The pod's gate runs again and cannot confirm, which the watch does not show.
    tale: [
      pod(500, "first", { selfFencing: false }),
      event(4_000, "forbidAnswers", { ms: 80_000 }),
      event(4_000, "stallWatch", { kind: OF_LEADERS_PODS, ms: 45_000 }),
      event(4_100, "loseSandbox"),
      event(78_000, "deleteLease"),
    ],
    off: {
      modules: [
        replaced<Unrecorded>("src/controller/unrecorded-holders.ts", ({ deleteUnrecorded }) => ({
          deleteUnrecorded: (lease, options) =>
            deleteUnrecorded(lease, deletingAnyVersion(lookingAtCaches(options, PODS))),
        })),
      ],
    },
  },
  "a Job is skipped for earlier Jobs only when live looks show that those wait": {
    rule: "forgotten",
    // One of the waiting Jobs is gone when the last one is requested, which the watches do not show.
    tale: [
      pod(500, "holder", { worksForMs: 120_000 }),
      job(2_000, "early", OF_A_CRON_JOB),
      job(4_000, "skipped", OF_A_CRON_JOB),
      event(6_000, "forbidRequests", { ms: 75_000 }),
      job(6_500, "late", OF_A_CRON_JOB),
      event(7_000, "stallWatch", { kind: OF_LEADERS_REQUESTS, ms: 55_000 }),
      event(7_000, "stallWatch", { kind: OF_LEADERS_JOBS, ms: 55_000 }),
      event(7_100, "deleteJob"),
      until(113_000),
    ],
    off: {
      modules: [
        replaced<Skips>("src/controller/skips.ts", ({ createSkips }) => ({
          createSkips: (options) => createSkips({ ...options, client: missingNothing(options.client) }),
        })),
      ],
    },
  },
  "a request that has changed since it was seen is read again before it is deleted": {
    rule: "told",
    // The request was granted, confirmed and taken back unseen, and its client, which learns of that late, continues in its place.
    tale: [
      worker(1_400, "z", { by: "script" }),
      worker(2_300, "a", { by: "script", priority: 2, ttlMs: 60_000, worksForMs: 5_000 }),
      worker(2_900, "b", { worksForMs: 5_000 }),
      event(12_300, "stallWatch", { kind: OF_LEADERS_REQUESTS, ms: 25_000 }),
      event(31_900, "lagServer", { ms: 12_900 }),
      worker(53_000, "c", { worksForMs: 5_000 }),
    ],
    // A client that is not told of a grant that was taken back would ask anew.
    off: { client: looksAtNoneThatChanged, worker: forgetsTakenBack },
  },
  "a fenced pod's new request is not taken for that of its lost hold": {
    rule: "order",
    replicas: 2,
    // The leader does not see that the hold is over when its pod asks again, and would mark that request as granted and later delete it.
    tale: [
      pod(500, "first"),
      pod(1_500, "second", { node: 1, worksForMs: 45_000 }),
      event(5_000, "cutNode", { ms: 3_400 }),
      event(9_000, "cutReplicaFromGates", { ms: 15_000 }),
      event(11_500, "stallWatch", { kind: OF_LEADERS_LEASES, ms: 6_000 }),
      pod(15_500, "third", { node: 2, worksForMs: 5_000 }),
      until(75_000),
    ],
    off: {
      modules: [
        replaced<Aligning>("src/controller/aligning.ts", ({ createAligning }) => ({
          createAligning: (options) => createAligning(lookingAtCaches(options, LEASES)),
        })),
        replaced<FollowUps>("src/lease/follow-ups.ts", ({ followUps }) => ({
          followUps: (input) => followUps({ ...input, requests: input.requests.map(ofHold(input.lease)) }),
        })),
      ],
    },
  },
};
