/** What keeps the rules for pods: what their gates and keepers say, and when that counts. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES, PODS as OF_PODS } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { PATH, passedToken, passMessage } from "../../../src/shared/names.ts";
import type { Json } from "../api/rules.ts";
import { metadataOf } from "../pod-object.ts";
import type { Guard } from "./guard.ts";
import { showing, statusWrites, withGateEnd, withStatus } from "./rewriting.ts";
import { event, pod, until } from "./tale.ts";

/** Of a node's boots the last one: what is said in it is later than all else. */
const LATEST_BOOT = "ffff";
/** Of the two that wait the first. */
const NEXT = 2;

/** Which run of its gate has confirmed is not known where a renewal is judged, nor which one has ended. */
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

/** One that nothing but its deletion can end. */
const UNFENCED = { selfFencing: false, worksForMs: 40_000, annotations: { ttl: "60s" } };

/** A grant is not answered, since the gate is held up, and is taken back. */
const WHILE_ITS_GATE_SLEEPS = [
  pod(500, "before", { worksForMs: 9_000, node: 1 }),
  pod(1_500, "first"),
  pod(3_000, "second", { node: 1 }),
  event(5_000, "pauseGate", { who: NEXT, ms: 25_000 }),
  until(31_000),
];

export const PODS: Record<string, Guard> = {
  "main starts only after its grant was confirmed": {
    rule: "two",
    // Its gate hears of the grant when it has been taken back.
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
  "a hold that was confirmed is granted anew to a later run of its gate alone": {
    rule: "two",
    // What its gate asked comes once more while main runs.
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
  "a confirmation of an earlier run does not take the place of a later one's": {
    rule: "two",
    // The first run of the gate confirms, and is ended; the second one is faster, and what it asked comes once more.
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
  "a hold lasts no shorter than its keeper counts": {
    rule: "two",
    // Its klease's ttl is shortened, and it is not told so.
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
};
