/** The end of a story: no new events, everybody behaves well, and an admin does what conditions ask for. */
import { JOBS, LEASES, NODES, PODS } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import { isSuspendedByUser, parseJob, waitsAsWhole } from "../../src/lease/job.ts";
import { FORCE_RELEASE_ANNOTATION, SUSPENDED_ANNOTATION } from "../../src/shared/names.ts";
import { ADMIN } from "./admission.ts";
import { CONTROLLERS } from "./api/cluster.ts";
import { attempt } from "./events/event.ts";
import { lookForIdleness } from "./idleness.ts";
import { LEASE_NAME, metadataOf, NAMESPACE, phaseOf } from "./pod-object.ts";
import type { TruePod } from "./true-pod.ts";
import { leaseOf, type World } from "./world.ts";

/** The owner's rules are over. */
const GRANTED_AT_ONCE = { renewable: true, paused: null, minInterval: null, maxWaiting: null };
const AT_MOST_MS = 1_500_000;

/** Returns when everybody has had their turn, or notes who has not. */
export async function rest(world: World): Promise<void> {
  const { scheduler, note, workers, jobs } = world;
  tidy(world);
  note({ what: "calm" });
  const endMs = scheduler.nowMs() + AT_MOST_MS;
  await scheduler.passUntil(endMs, () => {
    obey(world);
    lookForIdleness(world);
    return isDone(world);
  });
  if (isDone(world)) return;
  for (const { name } of unfinishedPods(world)) note({ what: "forgotten", who: name });
  for (const { worker } of workers)
    if (worker.state !== "over") note({ what: "forgotten", who: worker.wish.name });
  for (const { name, isOver } of jobs) if (!isOver()) note({ what: "forgotten", who: name });
  const { hold } = leaseNow(world)?.status ?? {};
  if (hold) note({ what: "forgotten", who: `the hold of ${hold.holder}` });
}

function tidy({ cluster: { store }, nodes, pods, jobs }: World): void {
  // A pod that works for longer than its ttl would restart again and again.
  const lease = { namespace: NAMESPACE, name: LEASE_NAME };
  if (store.find(LEASES, lease))
    store.patch(CONTROLLERS, LEASES, lease, { type: "merge", body: { spec: GRANTED_AT_ONCE } });
  const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
  for (const { name } of nodes.filter(({ state }) => state === "dead")) {
    store.patch(ADMIN, NODES, { name }, { type: "merge", body: { spec: { taints } } });
    for (const pod of pods.filter(({ node }) => node.name === name)) {
      const ref = { namespace: NAMESPACE, name: pod.name };
      if (metadataOf(store.find(PODS, ref))["uid"] === pod.uid)
        store.remove(CONTROLLERS, PODS, ref, { gracePeriodSeconds: 0 });
    }
  }
  for (const { name } of jobs) {
    const ref = { namespace: NAMESPACE, name };
    const found = store.find(JOBS, ref);
    if (!found || !isSuspendedByUser(parseJob(found))) continue;
    // The user resumes the Job, which makes it wait for its turn.
    const body = !waitsAsWhole(parseJob(found))
      ? { spec: { suspend: false } }
      : { metadata: { annotations: { [SUSPENDED_ANNOTATION]: "true" } } };
    store.patch(ADMIN, JOBS, ref, { type: "merge", body });
  }
}

/** HolderUnreachable asks an admin to act, who checks whether the holder runs, and then releases the klease by force. */
function obey(world: World): void {
  const { pods, cluster } = world;
  if (phaseOf(leaseOf(world, LEASE_NAME)) !== "Expired") return;
  const lease = leaseNow(world);
  const hold = lease?.status.hold;
  if (!lease || !hold?.unreachable || lease.forced?.token === hold.token) return;
  if (pods.some((pod) => pod.claim === hold.ref.uid && mayRun(pod))) return;
  const annotations = { [FORCE_RELEASE_ANNOTATION]: JSON.stringify({ now: true }) };
  const body = { metadata: { annotations }, status: { phase: "Available", holder: "" } };
  const ref = { namespace: NAMESPACE, name: LEASE_NAME };
  attempt(() => cluster.store.patch(ADMIN, LEASES, ref, { type: "merge", body }));
}

/** Whether main runs, or is in its crash back-off. At its gate a pod has to be granted the klease first. */
const mayRun = ({ isOver, main, hasRun, gate }: TruePod) =>
  !isOver && (main === "running" || (hasRun && !gate));

function leaseNow(world: World) {
  const found = leaseOf(world, LEASE_NAME);
  return found && parseLease(found);
}

/** Existing pods that have not ended, except those for which nobody may make a request. */
function unfinishedPods({ cluster: { store }, refused }: World): { name: string }[] {
  return store
    .list(PODS, NAMESPACE)
    .filter((pod) => !["Succeeded", "Failed"].includes(phaseOf(pod) ?? ""))
    .map((pod) => ({ name: String(metadataOf(pod)["name"]) }))
    .filter(({ name }) => !refused.has(name));
}

function isDone(world: World): boolean {
  const isEverybody =
    unfinishedPods(world).length === 0 &&
    world.workers.every(({ worker }) => worker.state === "over") &&
    world.jobs.every((job) => job.isOver());
  return isEverybody && !["Held", "Expired"].includes(phaseOf(leaseOf(world, LEASE_NAME)) ?? "");
}
