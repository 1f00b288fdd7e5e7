import type { FastifyReply } from "fastify";
import { tokensOf } from "../../../lease/hold.ts";
import { hasPassed, type PodView, waitsForJob } from "../../../lease/pod.ts";
import { keyOf } from "../../../lease/types.ts";
import { fencedEvent } from "../../../objects/claimant-events.ts";
import { findPod } from "../../../objects/live-objects.ts";
import type { GateApiContext } from "../options.ts";
import { grantedLine, HOLD_LOST } from "../wire/answers.ts";
import { settingsOf } from "../wire/caller.ts";
import type { AcquireRequest } from "../wire/messages.ts";
import { MISSING, WITHOUT_JOB } from "./denial.ts";
import type { FenceLog } from "./fence-log.ts";
import { joinJobHold, waitForJob } from "./job-hold.ts";
import { ensureLease } from "./lease-creation.ts";
import { openLineStream } from "./line-stream.ts";
import { endLostHold, type OwnHold, resumeOwnHold } from "./own-hold.ts";
import { ensureRequest } from "./pod-request.ts";
import type { QueueView } from "./queue-view.ts";
import type { Streams } from "./streams.ts";
import { ASK_AGAIN, RECONNECT, wait } from "./wait.ts";
import type { Waiters } from "./waiters.ts";

export interface AcquireContext {
  options: GateApiContext;
  waiters: Waiters;
  queue: QueueView;
  streams: Streams;
  fences: FenceLog;
}

/**
 * Answers a gate by a stream of lines. Acquire is idempotent: a pod that asks again, here or at another replica, finds its place in the
 * queue or its grant. What can be refused is refused before the stream begins.
 */
export async function acquire(
  { options, waiters, queue, streams, fences }: AcquireContext,
  pod: PodView,
  { lostToken, gateRun }: AcquireRequest,
  reply: FastifyReply,
): Promise<void> {
  const settings = await settingsOf(options, pod);
  streams.admit(pod.uid);
  const answerOnce = (line: object) => openStream().end(line);
  function openStream() {
    reply.hijack();
    if (streams.isDraining()) reply.raw.shouldKeepAlive = false;
    return openLineStream(reply.raw, options.clock);
  }

  if (hasPassed(pod, gateRun)) return answerOnce(ASK_AGAIN);
  if (lostToken !== undefined) tellFenced({ options, fences }, pod, lostToken);
  if (waitsForJob(pod)) {
    const hold = await joinJobHold(options, pod, gateRun);
    if (lostToken !== undefined && pod.restartPolicy === "Never") return answerOnce(HOLD_LOST);
    if (hold) return answerOnce(grantedLine(hold, options.trust()));
    // The cache may not show yet that a Job has adopted the pod, and a gate takes a denial as final.
    if (!pod.job && !(await findPod(options.client, pod))?.job) return answerOnce(WITHOUT_JOB);
    if (streams.isDraining()) return answerOnce(RECONNECT);
    const stream = openStream();
    waitForJob({ options, waiters, queue, pod, stream });
    return streams.add(pod.uid, stream);
  }
  if (lostToken !== undefined) {
    await endLostHold(options, pod, lostToken);
    if (pod.restartPolicy === "Never") return answerOnce(HOLD_LOST);
  }
  const exists = await ensureLease(options, pod, settings);
  if (!exists && settings.ifHeld === "fail") return answerOnce(MISSING);
  const own = await ownHold(options, pod, gateRun);
  if (own.is === "granted") return answerOnce(grantedLine(own.hold, options.trust()));
  if (streams.isDraining()) return answerOnce(RECONNECT);
  if (own.is === "inUse") return answerOnce(ASK_AGAIN);
  const request = await ensureRequest(options, pod, settings, gateRun);
  const stream = openStream();
  wait({ options, waiters, queue, pod, request, stream });
  streams.add(pod.uid, stream);
}

/** The gate's word alone is not believed: the Lease has to show that the pod held it by this token. */
function tellFenced(
  { options, fences }: Pick<AcquireContext, "options" | "fences">,
  pod: PodView,
  token: number,
): void {
  const { namespace, lease = "", restartPolicy } = pod;
  if (!tokensOf(options.caches.leases.store.get(keyOf({ namespace, name: lease })), pod).includes(token))
    return;
  fences.fenced(pod, token);
  const runsAgain = restartPolicy !== "Never";
  options.events.record(fencedEvent(pod, { lease, token, runsAgain }));
}

/** The cache is good enough to show that there is no hold: a waiting stream looks live before it trusts a grant. */
async function ownHold(options: GateApiContext, pod: PodView, gateRun: string | undefined): Promise<OwnHold> {
  const key = keyOf({ namespace: pod.namespace, name: pod.lease ?? "" });
  const cached = options.caches.leases.store.get(key)?.status.hold;
  if (cached?.ref.uid !== pod.uid) return { is: "none" };
  return resumeOwnHold(options, pod, gateRun);
}
