import { JOBS, LEASE_REQUESTS, PODS } from "../../src/kube/resources.ts";
import { parseLeaseRequest } from "../../src/lease/codec.ts";
import { parseDuration } from "../../src/lease/duration.ts";
import { canUseJob, parseJob } from "../../src/lease/job.ts";
import { canUseGrant, type PodView, parsePod, waitsForJob } from "../../src/lease/pod.ts";
import { record, text, timeMs } from "../../src/shared/json.ts";
import { LEASE_NAME, metadataOf, NAMESPACE, phaseOf } from "./pod-object.ts";
import { leaseOf, type World } from "./world.ts";

/** Whether somebody waits for a free klease in each world. */
const idle = new WeakMap<World, boolean>();

/** Notes when nobody holds, except for a pod that has ended or runs, although somebody could use the klease, and when that is over. */
export function lookForIdleness(world: World): void {
  const lease = leaseOf(world, LEASE_NAME);
  const phase = phaseOf(lease);
  const isHeld = (phase === "Held" || phase === "Expired") && !hasEnded(world, lease);
  const isAtWork =
    world.pods.some(({ main, isOver }) => main === "running" && !isOver) ||
    world.workers.some(({ worker }) => worker.state === "works");
  const who = isHeld || isAtWork || isRuledOut(world, lease) ? undefined : whoWaits(world);
  if ((who !== undefined) === (idle.get(world) ?? false)) return;
  idle.set(world, who !== undefined);
  world.note(who === undefined ? { what: "busy" } : { what: "idle", who });
}

/** Whether its owner's rules hold the klease back. */
function isRuledOut({ scheduler }: World, lease: unknown): boolean {
  const [spec, status] = [record(record(lease)["spec"]), record(record(lease)["status"])];
  const interval = text(spec["minInterval"]);
  const restsUntilMs =
    (timeMs(status["lastEnded"]) ?? 0) + (interval === undefined ? 0 : parseDuration(interval));
  return spec["paused"] === true || scheduler.nowMs() < restsUntilMs;
}

function hasEnded({ cluster: { store } }: World, lease: unknown): boolean {
  const { kind, name, uid } = record(record(record(lease)["status"])["holderRef"]);
  const pod = kind === "Pod" ? store.find(PODS, { namespace: NAMESPACE, name: String(name) }) : undefined;
  return metadataOf(pod)["uid"] === uid && ["Succeeded", "Failed"].includes(phaseOf(pod) ?? "");
}

function whoWaits(world: World): string | undefined {
  const { pods, workers, jobs, cluster } = world;
  const { store } = cluster;
  const isDenied = (uid: string) => requestsOf(world, uid).some(({ status }) => status.phase === "Denied");
  const pod = pods.find(({ name, uid, gate, node, isEnding }) => {
    const object = store.find(PODS, { namespace: NAMESPACE, name });
    if (!gate || gate.isPaused || node.state !== "up" || isEnding || !object || isDenied(uid)) return false;
    const view = parsePod(object);
    return view.uid === uid && !waitsForJob(view) && canUseGrant(view);
  });
  if (pod) return pod.name;
  const gated = store
    .list(PODS, NAMESPACE)
    .map(parsePod)
    .find((view) => isHeldBackByUs(world, view));
  if (gated) return gated.name;
  const waiting = workers.find(
    ({ worker, line }) =>
      worker.state === "waits" &&
      !worker.process.isPaused &&
      !worker.process.isDead &&
      !line.isCut &&
      worker.wish.timeoutMs === Number.POSITIVE_INFINITY,
  );
  if (waiting) return waiting.worker.wish.name;
  return jobs.find(({ name }) => {
    const object = store.find(JOBS, { namespace: NAMESPACE, name });
    return object !== undefined && canUseJob(parseJob(object));
  })?.name;
}

const requestsOf = ({ cluster: { store } }: World, uid: string) =>
  store
    .list(LEASE_REQUESTS, NAMESPACE)
    .map(parseLeaseRequest)
    .filter(({ spec }) => spec.ref?.uid === uid);

/** Whether only konductor's scheduling gate keeps the pod from its node. A pod whose gate could not be removed has lost its turn. */
function isHeldBackByUs(world: World, pod: PodView): boolean {
  const isAble = canUseGrant(pod) && !pod.hasOtherGates && !world.refused.has(pod.name);
  return (
    pod.gated &&
    isAble &&
    requestsOf(world, pod.uid).every(({ status }) => status.phase !== "Denied" && status.reason === undefined)
  );
}
