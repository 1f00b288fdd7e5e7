/** Guards for requests that cannot be written, are deleted, or are made twice under one name. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { isWaiting, NOT_CONFIRMED, wasGranted } from "../../../src/lease/order.ts";
import { list, record } from "../../../src/shared/json.ts";
import { calling, statusOf } from "./calling.ts";
import type { Guard } from "./guard.ts";
import { type Replacement, replaced } from "./replacement.ts";
import { event, pod, until, worker } from "./tale.ts";

type PassedOvers = typeof import("../../../src/controller/passed-over.ts");
type Decide = typeof import("../../../src/lease/decide.ts");
type FollowUps = typeof import("../../../src/lease/follow-ups.ts");
type Order = typeof import("../../../src/lease/order.ts");
type Places = typeof import("../../../src/client/place-request.ts");

/** Watches of the replica that `who` names. */
const OF_PODS = 0;
const OF_FIRSTS_LEASES = 3;
/** The forbidden call that removes scheduling gates. */
const PATCHES = 2;

const OF_LEADERS_LEASES = 2;

/** Marks a request as passed over before the klease shows that. */
const marksFirst = (client: KubeClient): KubeClient =>
  calling(client, {
    replaceStatus:
      (call) =>
      async (resource, object, ...rest) => {
        const [last] = list(statusOf(object)["history"]).map(record);
        const isTakenBack = resource === LEASES && last?.["reason"] === NOT_CONFIRMED;
        const { items } = isTakenBack ? await client.list(LEASE_REQUESTS) : { items: [] };
        for (const request of items.map(record))
          if (statusOf(request)["fencingToken"] === last?.["token"])
            await client.replaceStatus(LEASE_REQUESTS, {
              ...request,
              status: { phase: "Pending", reason: NOT_CONFIRMED },
            });
        return call(resource, object, ...rest);
      },
  });

/** How long an expired hold is shown. */
const SHOWN_MS = 1_000;

/** Without this guard the calls per event grow with the queue, since each place in it would be written. */
export const CALLS: readonly Replacement[] = [
  replaced<FollowUps>("src/lease/follow-ups.ts", ({ followUps }) => ({
    followUps: (input) => [
      ...followUps(input),
      ...input.requests
        .filter(({ status }) => status.phase === "Pending")
        .map((request) => ({ do: "mark", request, status: request.status }) as const),
    ],
  })),
];

/** A pod whose hold only its request shows when the klease is deleted, since the watch does not show that its gate has finished. */
const A_REQUEST_GOES = [
  pod(500, "first"),
  pod(800, "second", { node: 1, annotations: { priority: "2" } }),
  event(1_050, "stallWatch", { kind: OF_PODS, ms: 10_000 }),
  event(3_500, "forbidAnswers", { ms: 2_000 }),
  event(4_000, "deleteRequest"),
  event(8_000, "deleteLease"),
  until(25_000),
];

export const REQUESTS: Record<string, Guard> = {
  "a gate asks again if the klease does not show its granted request": {
    rule: "forgotten",
    replicas: 2,
    // The replica where the gate waits learns of the grant when the klease is gone.
    tale: [
      pod(500, "first", { worksForMs: 5_000 }),
      pod(1_500, "second", { node: 1 }),
      event(4_000, "stallWatch", { who: 1, kind: OF_FIRSTS_LEASES, ms: 3_000 }),
      event(4_000, "deleteGrantedLease", { ms: 30 }),
      until(20_000),
    ],
    off: {
      modules: [replaced<Order>("src/lease/order.ts", ({ isDenied }) => ({ isAnswered: isDenied }))],
    },
  },
  "a pod whose scheduling gate could not be removed waits again": {
    rule: "forgotten",
    tale: [
      event(500, "forbid", { kind: PATCHES }),
      pod(1_000, "first", { annotations: { gate: "scheduling", "start-timeout": "8s" } }),
    ],
    off: {
      modules: [
        replaced<FollowUps>("src/lease/follow-ups.ts", ({ followUps }) => ({
          followUps: (input) => followUps(input).filter((step) => step.do !== "queueAgain"),
        })),
      ],
    },
  },
  "a holder's request is put back": {
    rule: "two",
    tale: A_REQUEST_GOES,
    off: {
      modules: [
        replaced<FollowUps>("src/lease/follow-ups.ts", ({ followUps }) => ({
          followUps: (input) => followUps(input).filter((step) => step.do !== "putBack"),
        })),
      ],
    },
  },
  "a request that is put back says that it is granted": {
    rule: "two",
    tale: A_REQUEST_GOES,
    off: { modules: [replaced<Order>("src/lease/order.ts", () => ({ wasGranted: () => false }))] },
  },
  "a second process under a holder's name is refused": {
    rule: "two",
    tale: [
      worker(4_000, "z", { worksForMs: 10_000 }),
      worker(5_000, "a"),
      event(8_000, "twinWorker", { who: 1 }),
      until(40_000),
    ],
    off: {
      modules: [
        replaced<Places>("src/client/place-request.ts", ({ placeRequest }) => ({
          placeRequest: (context, wish, ...rest) => placeRequest(context, { ...wish, join: true }, ...rest),
        })),
      ],
    },
  },
  "a request whose grant was taken back keeps its place though it shows the grant": {
    rule: "order",
    // The request could not be marked, and its gate, which was paused, asks again when later ones wait.
    tale: [
      pod(500, "before", { worksForMs: 9_000, node: 1 }),
      pod(1_500, "first", { worksForMs: 5_000 }),
      pod(3_000, "second", { node: 1, worksForMs: 45_000 }),
      event(5_000, "pauseGate", { who: 2, ms: 20_000 }),
      pod(6_000, "third", { node: 2, worksForMs: 5_000 }),
      event(15_000, "forbidAnswers", { ms: 9_000 }),
      until(26_000),
    ],
    off: { modules: [replaced<Order>("src/lease/order.ts", () => ({ wasTakenBack: () => false }))] },
  },
  "a request that is passed over only in memory is marked when that can be written": {
    rule: "idle",
    // The grant could not be confirmed, since its request could not be marked first.
    tale: [
      event(400, "forbidAnswers", { ms: 12_000 }),
      pod(500, "first", { worksForMs: 5_000 }),
      until(13_000),
    ],
    off: {
      modules: [
        replaced<PassedOvers>("src/controller/passed-over.ts", ({ createPassedOver }) => ({
          createPassedOver: (options) => ({ ...createPassedOver(options), mark: async () => undefined }),
        })),
      ],
    },
  },
  "the request of an expired holder is left alone while phase Expired is shown": {
    rule: "calls",
    // A user deletes the request just then. It would be put back, treated as one that had its hold, and so on.
    tale: [
      pod(500, "first", { worksForMs: 20_000 }),
      event(7_000, "cutNode", { ms: 10_000 }),
      event(23_300, "deleteRequest"),
      until(27_000),
    ],
    off: {
      modules: [
        replaced<Decide>("src/lease/decide.ts", ({ decide }) => ({
          decide(situation) {
            const { lease, requests, timers } = situation;
            const decision = decide(situation);
            const isShown = decision.do === "wait" && decision.forMs === SHOWN_MS - timers.expiredForMs;
            const spent = requests.find((request) => isWaiting(request) && wasGranted(request, lease));
            return isShown && spent ? { do: "retire", request: spent } : decision;
          },
        })),
      ],
    },
  },
  "a request is marked as passed over only after its grant was taken back": {
    rule: "two",
    replicas: 2,
    // The leader has seen neither the confirmation nor that the gate has finished.
    tale: [
      event(1_900, "stallWatch", { kind: OF_PODS, ms: 9_000 }),
      event(1_900, "stallWatch", { kind: OF_LEADERS_LEASES, ms: 5_800 }),
      pod(2_000, "first", { annotations: { ttl: "60s" } }),
      pod(3_000, "second", { node: 1, worksForMs: 5_000, annotations: { priority: "2" } }),
      event(11_000, "deleteLease"),
    ],
    off: { client: marksFirst },
  },
};
