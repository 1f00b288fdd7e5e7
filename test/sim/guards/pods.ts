/** Guards for pods: the messages of their gates and keepers, and when they count. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES, PODS as OF_PODS } from "../../../src/kube/resources.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { record } from "../../../src/shared/json.ts";
import { PATH, passedToken, passMessage } from "../../../src/shared/names.ts";
import type { Json } from "../api/rules.ts";
import { metadataOf } from "../pod-object.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { showing, statusWrites, withGateEnd, withStatus } from "./rewriting.ts";
import { event, pod, until } from "./tale.ts";

type Releases = typeof import("../../../src/gate/keeping/release-by-keeper.ts");
type Proofs = typeof import("../../../src/lease/proof.ts");

/** The last boot of a node, whose messages are later than all others. */
const LATEST_BOOT = "ffff";
/** The first of two waiting pods. */
const NEXT = 2;

/** Hides the run of the gate that has confirmed from the judgement of renewals, and the run that has ended. */
function forgettingRuns(client: KubeClient): KubeClient {
  const runs = new Map<string, unknown>();
  const keyOf = (object: Json, status: Json) => `${metadataOf(object)["uid"]} ${status["fencingToken"]}`;
  const seen = showing(client, (object, { resource, verb }) => {
    if (resource === OF_PODS)
      return withGateEnd(object, (ended, message) => ({
        ...ended,
        message: passMessage(passedToken(message) ?? 0),
      }));
    if (resource !== LEASES) return object;
    const { gateRun, ...status } = record(object["status"]);
    if (gateRun !== undefined) runs.set(keyOf(object, status), gateRun);
    return verb === "get" ? object : { ...object, status };
  });
  return statusWrites(seen, LEASES, (object) => {
    const status = record(object["status"]);
    const gateRun = status["gateRun"] ?? (status["confirmed"] ? runs.get(keyOf(object, status)) : undefined);
    return withStatus(object, { gateRun });
  });
}

/** A pod that only its deletion can end. */
const UNFENCED = { selfFencing: false, worksForMs: 40_000, annotations: { ttl: "60s" } };

/** A grant that is not confirmed, since the gate is paused, and is taken back. */
const WHILE_ITS_GATE_SLEEPS = [
  pod(500, "before", { worksForMs: 9_000, node: 1 }),
  pod(1_500, "first"),
  pod(3_000, "second", { node: 1 }),
  event(5_000, "pauseGate", { who: NEXT, ms: 25_000 }),
  until(31_000),
];

/** Judges a pod whose keeper has asked to be released as `see` shows it. */
const judgingEndsOf = (see: (pod: PodView) => PodView) =>
  replaced<Proofs>("src/lease/proof.ts", ({ provesEnd }) => ({
    provesEnd: (pod, ...asked) => provesEnd(see(pod), ...asked),
  }));

export const PODS: Record<string, Guard> = {
  "main starts only after its grant was confirmed": {
    rule: "two",
    // The gate learns of the grant after it was taken back.
    tale: WHILE_ITS_GATE_SLEEPS,
    off: {
      gate: (client) => ({
        ...client,
        renew: async ({ token, ttlMs }) => ({ token, ttlMs, ca: undefined, urls: [] }),
      }),
    },
  },
  "keepers stop their pods before the ttl is over": {
    rule: "two",
    tale: [
      pod(500, "first"),
      pod(1_500, "second", { node: 1 }),
      event(5_000, "cutNode", { ms: 20_000 }),
      until(40_000),
    ],
    off: { ignoresFences: true },
  },
  "a keeper that is stopped alone makes room in time for one that fences": {
    rule: "two",
    ttl: "15s",
    tale: [
      pod(500, "first", { graceSeconds: 30 }),
      pod(3_000, "second", { node: 1 }),
      event(10_000, "patchKeeper"),
      event(10_001, "cutNode", { ms: 60_000 }),
      until(75_000),
    ],
    off: {
      modules: [
        replaced<Releases>("src/gate/keeping/release-by-keeper.ts", ({ releaseHold }) => ({
          releaseHold: (context, hold, stop) =>
            releaseHold(context, hold, { ...stop, fenceDueMs: Number.POSITIVE_INFINITY }),
        })),
      ],
    },
  },
  "a kubelet that is ending a pod by its deadline has the grace period for it": {
    rule: "two",
    ttl: "15s",
    tale: [
      pod(500, "first", { graceSeconds: 60, stopsWithinMs: 50_000, hasDeadline: true }),
      pod(3_000, "second", { node: 1 }),
      event(9_000, "cutNode", { ms: 90_000 }),
      event(10_000, "endAtDeadline"),
      until(120_000),
    ],
    off: {
      client: (client) =>
        showing(client, (object, { resource }) => {
          if (resource !== OF_PODS) return object;
          const { activeDeadlineSeconds: _, ...spec } = record(object["spec"]);
          return { ...object, spec };
        }),
    },
  },
  "a gate that asks again is no longer passed over": {
    rule: "forgotten",
    tale: WHILE_ITS_GATE_SLEEPS,
    off: {
      client: (client) =>
        statusWrites(client, LEASE_REQUESTS, (object) => {
          const { phase, reason } = record(object["status"]);
          return phase === "Pending" && reason === undefined ? undefined : object;
        }),
    },
  },
  "a confirmed hold is granted anew only to a later run of its gate": {
    rule: "two",
    // The gate's acquire arrives again while main runs.
    tale: [
      pod(500, "first", UNFENCED),
      event(750, "lateCalls", { kind: 1, ms: 8_000 }),
      pod(2_000, "second", { node: 1 }),
    ],
    off: {
      heard: (path, { gateRun, ...body }) =>
        path === PATH.acquire
          ? { ...body, gateRun: String(gateRun).replace(/^.*\//, `${LATEST_BOOT}/`) }
          : { gateRun, ...body },
    },
  },
  "a confirmation of an earlier run does not replace one of a later run": {
    rule: "two",
    // The first run of the gate confirms, and is ended. The second run is faster, and the first run's message arrives once more.
    tale: [
      pod(500, "before", { worksForMs: 9_000, node: 1 }),
      pod(1_500, "first", UNFENCED),
      pod(3_000, "second", { node: 1 }),
      event(9_000, "lateCalls", { who: NEXT, ms: 8_000 }),
      event(11_500, "killGate"),
      event(16_200, "lateCalls", { kind: 1, ms: 6_000 }),
    ],
    off: { client: forgettingRuns },
  },
  "a hold lasts at least as long as its keeper counts on": {
    rule: "two",
    // The klease's ttl is shortened, and the keeper does not learn of that.
    ttl: "60s",
    tale: [
      pod(500, "first"),
      pod(1_500, "second", { node: 1 }),
      event(25_000, "changeTtl"),
      event(35_000, "deafen", { ms: 40_000 }),
      until(80_000),
    ],
    off: { heard: (path, body) => (path === PATH.renew ? { ...body, ttlMs: 1_000 } : body) },
  },
  "the word of a keeper whose image was changed proves nothing": {
    rule: "two",
    // The pod is deleted before its kubelet knows, which is stopping only the keeper.
    tale: [
      pod(500, "first", { ...UNFENCED, graceSeconds: 30, stopsWithinMs: 20_000 }),
      pod(1_500, "second", { node: 1 }),
      event(10_000, "patchKeeper"),
      event(10_090, "deletePod"),
      until(60_000),
    ],
    off: { modules: [judgingEndsOf(({ isKeeperPatched: _, ...pod }) => pod)] },
  },
  "a keeper's word is proof only if its pod is being deleted": {
    rule: "two",
    tale: [
      pod(500, "first", UNFENCED),
      pod(1_500, "second", { node: 1 }),
      event(10_000, "patchInjected"),
      until(40_000),
    ],
    off: {
      modules: [judgingEndsOf((pod) => ({ deletionMs: 0, deletionGraceSeconds: pod.graceSeconds, ...pod }))],
    },
  },
  "a main in its crash back-off has not ended for good": {
    rule: "two",
    tale: [
      pod(500, "first", { selfFencing: false, exitCodes: [1, 1], worksForMs: 8_000 }),
      pod(1_500, "second", { node: 1 }),
      event(12_000, "patchKeeper"),
      until(60_000),
    ],
    off: { modules: [judgingEndsOf((pod) => ({ ...pod, restartPolicy: "Never" }))] },
  },
};
