/** Guards of the proofs that a pod has ended: by its status, by time, by its keeper's announcement. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, PODS } from "../../../src/kube/resources.ts";
import { isEarlierRun } from "../../../src/shared/gate-run.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { passedRun, passedToken, passMessage } from "../../../src/shared/names.ts";
import type { Json } from "../api/rules.ts";
import { BY_FORCE } from "../events/users.ts";
import { metadataOf } from "../pod-object.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { OF_CACHES, showing, statusWrites, withGateEnd, withStatus } from "./rewriting.ts";
import { event, job, pod, until } from "./tale.ts";

type EvidenceStores = typeof import("../../../src/controller/evidence-store.ts");

/** Shows every pod's status with the newest token that konductor has seen. */
function believingAnyToken(client: KubeClient): KubeClient {
  let token = 0;
  return showing(client, (object, { resource }) => {
    if (resource === LEASES) token = Math.max(token, Number(record(object["status"])["fencingToken"] ?? 0));
    if (resource !== PODS) return object;
    return withGateEnd(object, (ended, message) => ({
      ...ended,
      message: passMessage(token, passedRun(message)),
    }));
  });
}

/** Answers a live look with what the watch has shown. */
function lookingAtCaches(client: KubeClient): KubeClient {
  const shown = new Map<unknown, Json>();
  return showing(client, (object, { resource, verb }) => {
    if (resource !== PODS) return object;
    const { uid } = metadataOf(object);
    if (OF_CACHES.includes(verb)) shown.set(uid, object);
    return shown.get(uid) ?? object;
  });
}

/** Counts only those pods under a Job's hold that were seen past their gates. */
function countingWhoIsSeen(client: KubeClient): KubeClient {
  const seen = new Set<unknown>();
  return showing(client, (object, { resource, verb }) => {
    if (resource === PODS)
      withGateEnd(object, (ended) => {
        seen.add(metadataOf(object)["uid"]);
        return ended;
      });
    if (resource !== LEASES || !OF_CACHES.includes(verb)) return object;
    const pods = list(record(object["status"])["holderPods"]).filter((pod) => seen.has(record(pod)["uid"]));
    return withStatus(object, { holderPods: pods });
  });
}

/** Shows every pod's status with the last run of its gate that has confirmed. */
function believingAnyRun(client: KubeClient): KubeClient {
  const runs = new Map<unknown, string | undefined>();
  return showing(client, (object, { resource }) => {
    if (resource === LEASES)
      for (const { uid, gateRun } of list(record(object["status"])["holderPods"]).map(record))
        if (!isEarlierRun(text(gateRun), runs.get(uid))) runs.set(uid, text(gateRun));
    if (resource !== PODS) return object;
    const run = runs.get(metadataOf(object)["uid"]);
    return withGateEnd(object, (ended, message) => ({
      ...ended,
      message: passMessage(passedToken(message) ?? 0, run ?? passedRun(message)),
    }));
  });
}

/** Shows pods without a grace period. */
const withoutGrace = (pod: Json): Json => ({
  ...pod,
  metadata: { ...metadataOf(pod), deletionGracePeriodSeconds: metadataOf(pod)["deletionTimestamp"] && 0 },
  spec: { ...record(pod["spec"]), terminationGracePeriodSeconds: 0 },
});

/** Records a pod as stopping when only its keeper has announced that it is being stopped. */
function takingWordsForEnds(lease: Json): Json {
  const status = record(lease["status"]);
  const said = list(status["conditions"])
    .map(record)
    .find(({ type }) => type === "Releasing");
  const ref = record(status["holderRef"]);
  if (said?.["status"] !== "True" || ref["stoppingSince"] !== undefined) return lease;
  return withStatus(lease, { holderRef: { ...ref, stoppingSince: said["lastTransitionTime"] } });
}

/** A pod that is restarted under its uid, as after the loss of its sandbox, and whose main then ends as if it were done. */
const RESTARTED = {
  restartPolicy: "OnFailure",
  annotations: {},
  ...{ stopsWithinMs: 50, exitCodeAtTerm: 0, worksForMs: 15_000, exitCodes: [] },
} as const;

const A_SANDBOX_IS_LOST = [
  pod(500, "first", RESTARTED),
  pod(1_500, "second", { node: 1 }),
  event(5_000, "lagServer", { ms: 20_000 }),
  event(6_000, "loseSandbox"),
];

export const EVIDENCE: Record<string, Guard> = {
  "a pod's status proves only the end of the hold whose token its gate wrote": {
    rule: "two",
    // The status that shows main's end is seen when main runs again.
    tale: A_SANDBOX_IS_LOST,
    off: { client: believingAnyToken },
  },
  "a pod's status proves only the end of what started after its gate finished": {
    rule: "two",
    tale: [...A_SANDBOX_IS_LOST, until(30_000)],
    off: {
      client: (client) =>
        showing(client, (object, { resource }) =>
          resource === PODS
            ? withGateEnd(object, (ended) => ({ ...ended, finishedAt: "1970-01-01T00:00:00Z" }))
            : object,
        ),
    },
  },
  "the API server is asked whether the keeper runs once a hold has expired": {
    rule: "two",
    // The watch shows a keeper that has crashed, and comes back when others may already run.
    tale: [
      pod(500, "first"),
      pod(1_000, "second", { node: 1 }),
      event(3_000, "stallWatch", { ms: 40_000 }),
      event(3_500, "crashKeeper"),
      event(5_500, "crashKeeper"),
      event(7_000, "cutNode", { ms: 20_000 }),
      until(40_000),
    ],
    off: { client: lookingAtCaches },
  },
  "the pods that may run under a Job's hold are read from the klease": {
    rule: "two",
    // The watch does not show yet that the pods have passed their gates.
    tale: [
      job(500, "first", { stopsWithinMs: 8_000 }),
      event(600, "stallWatch", { ms: 20_000 }),
      pod(1_500, "second", { node: 1 }),
      event(5_000, "suspendJob"),
      until(20_000),
    ],
    off: { client: countingWhoIsSeen },
  },
  "a status of an earlier run of a pod that shares a hold proves nothing": {
    rule: "two",
    // The status that shows main's end, of both pods, is seen when main runs again.
    tale: [
      job(500, "first", { ...RESTARTED, selfFencing: false, stopsWithinMs: 8_000, worksForMs: 100_000 }),
      pod(5_000, "second", { node: 1 }),
      event(10_000, "lagServer", { ms: 20_000 }),
      event(11_000, "loseSandbox"),
      event(11_500, "loseSandbox"),
      event(32_000, "suspendJob"),
      until(60_000),
    ],
    off: { client: believingAnyRun },
  },
  "the grace period of a pod that is gone is awaited after its keeper's announcement": {
    rule: "two",
    // The pod has no object any more, and its kubelet is stopping it.
    tale: [
      pod(500, "first", { graceSeconds: 30, stopsWithinMs: 20_000 }),
      pod(1_500, "second", { node: 1 }),
      event(5_000, "forceDeletePod"),
    ],
    off: {
      client: (client) =>
        showing(client, (object, { resource }) => (resource === PODS ? withoutGrace(object) : object)),
    },
  },
  "a keeper's announcement counts for its pod only if the pod is being deleted or gone": {
    rule: "two",
    // Only the keeper is stopped, and then its pod can be neither reached nor found.
    tale: [
      pod(500, "first", { annotations: { ttl: "60s" } }),
      pod(1_500, "second", { node: 1 }),
      event(22_000, "patchKeeper"),
      event(24_000, "cutNode", { ms: 40_000 }),
      event(25_000, "forceDeletePod"),
      until(80_000),
    ],
    off: { client: (client) => statusWrites(client, LEASES, takingWordsForEnds) },
  },
  "a pod is not another of the same name": {
    rule: "two",
    // The pod has no object any more, and its kubelet is stopping it. The next pod of its name is refused, and fails.
    tale: [
      pod(500, "first", {
        ...{ restartPolicy: "Never", annotations: { "if-held": "fail", ttl: "60s" } },
        ...{ graceSeconds: 30, stopsWithinMs: 20_000 },
      }),
      pod(1_500, "second", { node: 1 }),
      event(5_000, "replacePod", { kind: BY_FORCE }),
      until(60_000),
    ],
    off: {
      modules: [
        replaced<EvidenceStores>("src/controller/evidence-store.ts", ({ createEvidenceStore }) => ({
          createEvidenceStore(options) {
            const real = createEvidenceStore(options);
            return {
              ...real,
              evidenceOf(namespace, ref) {
                const named = options.caches.pods.store.get(`${namespace}/${ref.name}`);
                return real.evidenceOf(namespace, { ...ref, uid: named?.uid ?? ref.uid });
              },
            };
          },
        })),
      ],
    },
  },
};
