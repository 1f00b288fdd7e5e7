/** What is remembered about a pod that is gone. */
import { expect, test } from "vitest";
import { createEvidenceStore } from "../../../src/controller/evidence-store.ts";
import { createObjectCache } from "../../../src/kube/object-cache.ts";
import type { CacheListener } from "../../../src/kube/reflector.ts";
import { isSuccess } from "../../../src/lease/evidence.ts";
import { type JobView, parseJob } from "../../../src/lease/job.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { NodeView } from "../../../src/objects/node-view.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

function podAt(version: number, deletionGracePeriodSeconds?: number): PodView {
  const deletion = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds };
  return parsePod({
    metadata: {
      ...{ namespace: "ns", name: "run-1", uid: "pod-1", resourceVersion: `${version}` },
      ...(deletionGracePeriodSeconds !== undefined && deletion),
    },
  });
}

const REF = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;

/** A watch of pods that a test feeds, and an API server without pods. */
function watched() {
  const listeners: CacheListener<PodView>[] = [];
  const cache = createObjectCache<PodView>({
    notify: (change) => {
      for (const tell of listeners) tell(change);
    },
  });
  const pods = {
    ...fedReflector<PodView>(),
    store: cache.store,
    subscribe: (listener: CacheListener<PodView>) => {
      listeners.push(listener);
      return () => false;
    },
  };
  const { client } = recordedClient(() => {
    throw new KonductorError("NotFound", "no such pod");
  });
  const jobs = fedReflector<JobView>();
  const caches = { pods, jobs, nodes: fedReflector<NodeView>() };
  return { cache, jobs, pods, evidence: createEvidenceStore({ client, caches, clock: turnedClock() }) };
}

test("a pod that is deleted by force keeps its longer grace period, since its kubelet may not know yet", async () => {
  const { cache, evidence } = watched();
  cache.observe(podAt(1));
  cache.observe(podAt(2, 300));
  cache.observe(podAt(3, 0));
  cache.observeDeletion(podAt(4, 0));
  await evidence.look("ns", REF);
  expect(evidence.evidenceOf("ns", REF)).toMatchObject({ is: "gone", last: { deletionGraceSeconds: 300 } });
});

test("a live look that finds no pod overrides a cache that still shows it", async () => {
  const { cache, evidence } = watched();
  cache.observe(podAt(1));
  expect(evidence.evidenceOf("ns", REF)).toMatchObject({ is: "present" });
  await evidence.look("ns", REF);
  expect(evidence.evidenceOf("ns", REF)).toMatchObject({
    is: "gone",
    isFinal: false,
    last: { uid: "pod-1" },
  });
  cache.observeDeletion(podAt(2));
  await evidence.look("ns", REF);
  expect(evidence.evidenceOf("ns", REF)).toMatchObject({ is: "gone", isFinal: true });
});

function jobAt(version: number, conditions: object[], uid = "job-1"): JobView {
  const metadata = { namespace: "ns", name: "migrate", uid, resourceVersion: `${version}` };
  return parseJob({ metadata, status: { conditions } });
}

const JOB_REF = { kind: "Job", name: "migrate", uid: "job-1" } as const;
const COMPLETE = { type: "Complete", status: "True" };

test.each<[string, object[], boolean]>([
  ["has succeeded", [COMPLETE], true],
  ["was ended without having run", [{ ...COMPLETE, reason: "AlreadyDone" }], false],
  ["has failed", [{ type: "Failed", status: "True" }], false],
  ["was at work", [], false],
])("of a Job that %s and is deleted at once, that is remembered", async (_, conditions, isSo) => {
  const { jobs, evidence } = watched();
  jobs.apply(jobAt(1, []));
  jobs.remove(jobAt(2, conditions));
  expect(evidence.evidenceOf("ns", JOB_REF)).toEqual({ is: "unknown" });
  await evidence.look("ns", JOB_REF);
  expect(isSuccess(evidence.evidenceOf("ns", JOB_REF), 42)).toBe(isSo);
});

test("the success of a Job is remembered when another of its name has taken its place", async () => {
  const { jobs, evidence } = watched();
  jobs.apply(jobAt(1, [COMPLETE]));
  jobs.apply(jobAt(2, [], "job-2"));
  await evidence.look("ns", JOB_REF);
  expect(isSuccess(evidence.evidenceOf("ns", JOB_REF), 42)).toBe(true);
  await evidence.look("ns", { ...JOB_REF, uid: "job-2" });
  expect(isSuccess(evidence.evidenceOf("ns", { ...JOB_REF, uid: "job-2" }), 42)).toBe(false);
});

test("one list shows many pods, and which of them are still to be asked for", async () => {
  const { cache, jobs, pods } = watched();
  const objectOf = (name: string, resourceVersion: string) => ({
    metadata: { namespace: "ns", name, uid: `uid-of-${name}`, resourceVersion },
  });
  const { client, calls } = recordedClient(() => {
    // While the list comes in, the watch tells that one of its pods has gone.
    cache.observe(parsePod(objectOf("ended", "5")));
    cache.observeDeletion(parsePod(objectOf("ended", "7")));
    return [objectOf("there", "6"), objectOf("ended", "6"), objectOf("stranger", "6")];
  });
  const clock = turnedClock();
  const evidence = createEvidenceStore({
    client,
    caches: { pods, jobs, nodes: fedReflector<NodeView>() },
    clock,
  });
  const refs = ["there", "ended", "gone"].map((name) => ({
    kind: "Pod" as const,
    name,
    uid: `uid-of-${name}`,
  }));
  const left = await evidence.lookAtAll({ namespace: "ns", name: "nightly" }, refs);
  expect(left.map(({ name }) => name)).toEqual(["ended", "gone"]);
  expect(refs.map(({ uid }) => evidence.lookedAgoMs(uid))).toEqual([
    0,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);
  expect(calls).toMatchObject([{ what: "list pods", sent: { labelSelector: "konductor.io/lease=nightly" } }]);
});
