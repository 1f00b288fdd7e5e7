/** Guards for partial faults: a replica that hears nothing, a silent watch or list, a wrong clock, a gate that reaches nobody, a vanished pod. */
import { record } from "../../../src/shared/json.ts";
import { calling } from "./calling.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { event, pod, until } from "./tale.ts";

type Authentication = typeof import("../../../src/server/identity/authenticate.ts");
type Decisions = typeof import("../../../src/lease/decision.ts");
type Elections = typeof import("../../../src/kube/election-record.ts");
type Endings = typeof import("../../../src/server/gate-api/hold/ending.ts");
type Freshness = typeof import("../../../src/server/gate-api/wire/freshness.ts");
type HoldClocks = typeof import("../../../src/controller/hold-clock.ts");
type Order = typeof import("../../../src/lease/order.ts");

/** The first replica, whether or not it leads. */
const FIRST = 1;
/** Watches of a leader. */
const OF_PODS = 0;
const OF_REQUESTS = 4;
const TWO_HOURS_AHEAD = 16;
const RIGHT = 8;

/** The first replica, and its watch of requests. */
const FIRST_OF_REQUESTS = OF_REQUESTS + FIRST;

const NOBODY_GIVES_THE_LEAD_AWAY = {
  modules: [
    replaced<Elections>("src/kube/election-record.ts", ({ claimed }) => ({
      claimed: (ref, old, claim) => claimed(ref, old, { ...claim, isOffered: false }),
    })),
  ],
};

/** A pod whose hold has to end long before its ttl does. */
const A_POD_VANISHES = [
  pod(500, "first", { annotations: { ttl: "60s" } }),
  pod(1_500, "second", { node: 1 }),
  event(20_000, "forceDeletePod"),
  until(80_000),
];

export const HALF_BROKEN: Record<string, Guard> = {
  "gates do not wait at a replica that hears nothing": {
    rule: "idle",
    replicas: 2,
    tale: [
      pod(500, "first", { worksForMs: 15_000 }),
      pod(1_500, "second", { node: 1 }),
      event(10_000, "loseReplica", { kind: FIRST }),
    ],
    off: {
      modules: [
        replaced<Freshness>("src/server/gate-api/wire/freshness.ts", () => ({
          isFresh: () => true,
          requireFresh: () => undefined,
        })),
      ],
    },
  },
  "an arbiter that hears nothing of a resource gives the lead to a replica that does": {
    rule: "idle",
    replicas: 2,
    tale: [
      pod(500, "first", { worksForMs: 10_000 }),
      event(2_000, "deafenReplica", { kind: OF_REQUESTS }),
      pod(4_000, "second", { node: 1 }),
      until(100_000),
    ],
    off: NOBODY_GIVES_THE_LEAD_AWAY,
  },
  "a term that cannot begin, since a list gets no answer, is given away": {
    rule: "idle",
    replicas: 2,
    // The other replica leads at first, in some stories.
    tale: [
      pod(500, "first", { worksForMs: 10_000 }),
      event(2_000, "deafenReplica", { kind: FIRST_OF_REQUESTS, who: 1 }),
      event(3_000, "killReplica"),
      pod(4_000, "second", { node: 1 }),
      until(100_000),
    ],
    off: NOBODY_GIVES_THE_LEAD_AWAY,
  },
  "a silent watch is replaced": {
    rule: "idle",
    replicas: 2,
    tale: [
      pod(600, "first", { worksForMs: 15_000 }),
      event(2_100, "hangWatch", { kind: OF_REQUESTS }),
      pod(3_100, "second", { node: 1 }),
      until(100_000),
    ],
    off: {
      // Else the other replica takes the lead.
      ...NOBODY_GIVES_THE_LEAD_AWAY,
      client: (client) => ({
        ...client,
        watch(resource, options, signal) {
          const others = new AbortController();
          signal.addEventListener("abort", () => {
            if (!String(signal.reason).includes("was silent")) others.abort(signal.reason);
          });
          return client.watch(resource, options, others.signal);
        },
      }),
    },
  },
  "a list without an answer is requested again": {
    rule: "idle",
    replicas: 2,
    // A term begins with lists.
    tale: [
      pod(500, "first", { worksForMs: 8_000 }),
      pod(1_500, "second", { node: 1 }),
      event(7_000, "loseLists", { ms: 20_000 }),
      until(20_000),
    ],
    off: {
      // Else the other replica takes the lead.
      ...NOBODY_GIVES_THE_LEAD_AWAY,
      client: (client) =>
        calling(client, {
          list:
            (call) =>
            (resource, options, ...rest) =>
              call(resource, { ...record(options), silenceTimeoutMs: undefined }, ...rest),
        }),
    },
  },
  "a main that seems not to have started is looked at live": {
    rule: "healthy",
    tale: [
      pod(500, "first", { annotations: { "start-timeout": "8s" } }),
      event(1_000, "stallWatch", { kind: OF_PODS, ms: 20_000 }),
      until(30_000),
    ],
    off: { modules: [replaced<Decisions>("src/lease/decision.ts", () => ({ isFresh: () => true }))] },
  },
  "the order of the queue is by the API server's time": {
    rule: "order",
    tale: [
      pod(500, "first", { worksForMs: 15_000 }),
      event(1_500, "setReplicaClock", { kind: TWO_HOURS_AHEAD }),
      pod(2_000, "second", { node: 1 }),
      event(8_000, "setReplicaClock", { kind: RIGHT }),
      pod(9_000, "third", { node: 2 }),
      until(30_000),
    ],
    off: { goesByItsOwnTime: true },
  },
  "the first in the queue is granted": {
    rule: "order",
    tale: [
      pod(500, "first", { worksForMs: 15_000 }),
      pod(2_000, "second", { node: 1 }),
      pod(9_000, "third", { node: 2 }),
      until(30_000),
    ],
    off: {
      modules: [
        replaced<Order>("src/lease/order.ts", ({ waitingInOrder }) => ({
          waitingInOrder: (lease, requests) => waitingInOrder(lease, requests).reverse(),
        })),
      ],
    },
  },
  "the time to confirm a grant counts from when the gate could": {
    rule: "healthy",
    // The pod is granted before it has a node, and its gate can reach nobody at first.
    tale: [
      event(100, "fillNodes", { ms: 8_000 }),
      pod(500, "first", { annotations: { gate: "scheduling", ttl: "60s" } }),
      event(8_000, "cutReplicaFromGates", { ms: 6_000 }),
      until(15_000),
    ],
    off: {
      modules: [
        replaced<HoldClocks>("src/controller/hold-clock.ts", ({ createHoldClock }) => ({
          createHoldClock(clock) {
            const real = createHoldClock(clock);
            return {
              ...real,
              timers(lease) {
                const timers = real.timers(lease);
                return { ...timers, answerableForMs: timers.silentForMs };
              },
            };
          },
        })),
      ],
    },
  },
  "a vanished pod is identified by its token's signature": {
    rule: "ending",
    tale: A_POD_VANISHES,
    off: {
      modules: [
        replaced<Endings>("src/server/gate-api/hold/ending.ts", () => ({
          identifyEnding: async ({ authenticate }, token) => ({ identity: await authenticate(token) }),
        })),
        // Earlier reviews are not believed either, as if the keeper had not called for long.
        replaced<Authentication>("src/server/identity/authenticate.ts", ({ createAuthenticate }) => ({
          createAuthenticate(options) {
            let atMs = 0;
            const monotonicMs = () => (atMs += 3_600_000);
            return createAuthenticate({ ...options, clock: { ...options.clock, monotonicMs } });
          },
        })),
      ],
    },
  },
  "the klease records since when a pod is being stopped": {
    rule: "ending",
    tale: A_POD_VANISHES,
    off: {
      modules: [
        replaced<Endings>("src/server/gate-api/hold/ending.ts", ({ findEnding }) => ({
          async findEnding(...asked) {
            const { stopping: _, ...known } = await findEnding(...asked);
            return known;
          },
        })),
      ],
    },
  },
};
