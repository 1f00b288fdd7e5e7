/** Guards for kleases that are written, deleted and created again. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { JOBS, LEASES } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { calling, isSame, parsedBy } from "./calling.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { asGrantedBefore, seenAs, statusWrites } from "./rewriting.ts";
import { event, job, pod, until } from "./tale.ts";

type Unrecorded = typeof import("../../../src/controller/unrecorded-holders.ts");

type HeldBack = typeof import("../../../src/lease/policies/held-back.ts");
type MaxWaiting = typeof import("../../../src/lease/policies/max-waiting.ts");

/** A watch of the leader. */
const OF_LEASES = 2;

/** Answers every look at a Job with another Job. */
function withOtherJobs(client: KubeClient): KubeClient {
  return calling(client, {
    get:
      (call) =>
      async (resource, ...rest) =>
        isSame(resource, JOBS) ? parsedBy(rest, {}) : call(resource, ...rest),
  });
}

export const KLEASES: Record<string, Guard> = {
  "writes of a klease's status carry the resourceVersion that was read": {
    // The klease's schema, too, keeps tokens from falling, but a confirmation or renewal is lost.
    rule: "healthy",
    replicas: 2,
    // The leader does not see the renewals that the other replica writes.
    tale: [pod(600, "first"), event(5_100, "stallWatch", { kind: OF_LEASES, ms: 25_000 }), until(45_000)],
    off: {
      client: (client) =>
        statusWrites(client, LEASES, ({ metadata, ...rest }) => {
          const { resourceVersion: _, ...unguarded } = record(metadata);
          return { ...rest, metadata: unguarded };
        }),
    },
  },
  "the first token of a klease is its time of creation": {
    rule: "tokens",
    events: ["deleteLease"],
    off: {
      client: (client) =>
        seenAs(client, (lease) => ({
          ...lease,
          metadata: { ...record(lease["metadata"]), creationTimestamp: "1970-01-01T00:00:00Z" },
        })),
    },
  },
  "holders under a deleted klease are awaited": {
    rule: "two",
    events: ["deleteLease"],
    off: { client: asGrantedBefore },
  },
  "a pod without a grace period has a second to end when konductor deletes it": {
    rule: "two",
    // The pod's object would be gone before its kubelet has even heard of the deletion.
    tale: [
      pod(500, "first", { selfFencing: false, graceSeconds: 0, stopsWithinMs: 900 }),
      pod(1_500, "second", { node: 1, worksForMs: 5_000 }),
      event(8_000, "deleteLease"),
    ],
    off: {
      client: (client) =>
        calling(client, {
          delete: (call) => (resource, ref, options) =>
            call(resource, ref, { ...record(options), gracePeriodSeconds: undefined }),
        }),
    },
  },
  "a rule of the klease's owner holds grants back": {
    rule: "owner",
    tale: [
      pod(500, "first", { worksForMs: 4_000 }),
      event(3_000, "pauseLease", { ms: 20_000 }),
      pod(3_500, "second", { worksForMs: 500 }),
      until(30_000),
    ],
    off: {
      modules: [replaced<HeldBack>("src/lease/policies/held-back.ts", () => ({ heldBack: () => undefined }))],
    },
  },
  "whoever comes when enough wait is turned away": {
    rule: "owner",
    tale: [
      pod(500, "first", { worksForMs: 15_000 }),
      event(3_000, "limitQueue", { kind: 1 }),
      pod(4_000, "second", { worksForMs: 500 }),
      pod(8_000, "third", { worksForMs: 500 }),
      until(40_000),
    ],
    off: {
      modules: [
        replaced<MaxWaiting>("src/lease/policies/max-waiting.ts", ({ newcomersOf }) => ({
          newcomersOf: (...input) => {
            const { mayWait, turnedAway } = newcomersOf(...input);
            return { mayWait: [...mayWait, ...turnedAway], turnedAway: [] };
          },
        })),
      ],
    },
  },
  "pods of a Job that goes on are left to the Job when their klease was deleted": {
    rule: "tries",
    tale: [
      job(500, "first", { selfFencing: false, worksForMs: 30_000 }),
      event(5_000, "forbidSuspensions"),
      event(8_000, "deleteLease"),
    ],
    off: {
      modules: [
        replaced<Unrecorded>("src/controller/unrecorded-holders.ts", ({ deleteUnrecorded }) => ({
          deleteUnrecorded: (lease, { client, ...around }) =>
            deleteUnrecorded(lease, { client: withOtherJobs(client), ...around }),
        })),
      ],
    },
  },
};
