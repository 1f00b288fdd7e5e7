/**
 * What becomes of a hold, as spans. Pure. Whoever writes a change of a Lease tells the spans that end with it: since the write is guarded,
 * each is told once, and a replica that dies right then loses these alone.
 *
 *     admission                        the pod's, the Job's or the client's; or a span of the user's
 *       waiting                        from the request to the grant
 *       hold                           from the grant to the end
 *         grant                        its write
 *         confirmation                 until the holder answered
 *         main                         from then until the end was announced
 *         release                      from then until the Lease was free
 *
 * A pod that holds again, after a fence or a restart, has its second hold in the same trace. Whoever was admitted without a trace has none.
 */
import type { WaitOutcome } from "../controller/arbiter-recorder.ts";
import { aboutClaimant } from "../lease/log-fields.ts";
import { parseTraceParent } from "../lease/traceparent.ts";
import type { EndReason, Hold, HolderRef, Lease, LeaseRequest, PastHold } from "../lease/types.ts";
import type { TracedAdmission } from "../server/admission/traced.ts";
import { randomSpanId, spanIdOf } from "./ids.ts";
import type { Attributes, Span } from "./span.ts";

/** The spans that end with a change which this replica has written; `nowMs`: when that was answered. */
export function spansOfChange(before: Lease, after: Lease, nowMs: number): Span[] {
  const [old, hold] = [before.status.hold, after.status.hold];
  const isSame = old?.token === hold?.token;
  const [past] = after.status.history;
  return [
    ...(old && !isSame && past ? spansOf(before, old, partsOfEnd(old, past, nowMs)) : []),
    ...(hold && !isSame ? spansOf(after, hold, [grantOf(hold, nowMs)]) : []),
    ...(old && hold && isSame && !old.confirmed && hold.confirmed
      ? spansOf(after, hold, [answerOf(hold)])
      : []),
  ];
}

type Part = Pick<Span, "name" | "startMs" | "endMs" | "error"> & { attributes?: Attributes };

function grantOf({ acquiredMs }: Hold, nowMs: number): Part {
  return { name: "grant", startMs: acquiredMs, endMs: nowMs };
}

function answerOf({ acquiredMs, confirmedMs = acquiredMs }: Hold): Part {
  return { name: "confirmation", startMs: acquiredMs, endMs: confirmedMs };
}

function partsOfEnd(hold: Hold, { endedMs, reason }: PastHold, nowMs: number): Part[] {
  const { acquiredMs, confirmed, confirmedMs = acquiredMs, releasingMs = endedMs, renewals } = hold;
  const main: Part = { name: "main", startMs: confirmedMs, endMs: releasingMs };
  const why = { "konductor.reason": reason };
  return [
    ...(confirmed ? [main] : []),
    { name: "release", startMs: releasingMs, endMs: nowMs, attributes: why },
    {
      name: "hold",
      startMs: acquiredMs,
      endMs: nowMs,
      attributes: { ...why, "konductor.renewals": renewals },
      error: ERROR_OF[reason],
    },
  ];
}

/** What an end says of the hold, where it did not end as its holder wanted. */
const ERROR_OF: Readonly<Record<EndReason, string | undefined>> = {
  Released: undefined,
  Terminated: undefined,
  Suspended: undefined,
  Expired: "the holder was silent for its whole ttl",
  NotConfirmed: "the holder did not answer its grant in time",
  Fenced: "the holder lost the Lease, and its keeper stopped it",
  Restarted: "the holder's gate ran again",
  NotStarted: "no pod of the Job was at work in time",
  Forced: "an admin took the Lease away",
};

function spansOf({ namespace, name, uid }: Lease, hold: Hold, parts: readonly Part[]): Span[] {
  const { ref, holder, token } = hold;
  const origin = parseTraceParent(hold.traceparent);
  if (!origin?.isSampled) return [];
  const { traceId } = origin;
  const holdId = spanIdOf("hold", uid, token);
  const about = { ...aboutHolder(namespace, name, ref, holder), "konductor.token": token };
  return parts.map((part) => ({
    ...part,
    traceId,
    ...(part.name === "hold"
      ? { spanId: holdId, parentId: origin.spanId }
      : { spanId: spanIdOf(part.name, uid, token), parentId: holdId }),
    // Another replica may have told of the start, by a clock that is a moment ahead.
    endMs: Math.max(part.startMs, part.endMs),
    attributes: { ...about, ...part.attributes },
    namespace,
  }));
}

/** A wait that has ended, `waitedMs` after it began. */
export function spansOfWait(
  outcome: WaitOutcome,
  waitedMs: number,
  { namespace, name, uid, traceparent, spec }: LeaseRequest,
): Span[] {
  const { lease, holder, requestedAtMs, ref = { kind: "LeaseRequest", name, uid } } = spec;
  const origin = parseTraceParent(traceparent);
  if (!origin?.isSampled) return [];
  return [
    {
      name: "waiting",
      traceId: origin.traceId,
      spanId: spanIdOf("waiting", uid),
      parentId: origin.spanId,
      startMs: requestedAtMs,
      endMs: requestedAtMs + Math.max(0, waitedMs),
      attributes: { ...aboutHolder(namespace, lease, ref, holder), "konductor.outcome": outcome },
      error: WAITED_IN_VAIN[outcome],
      namespace,
    },
  ];
}

const WAITED_IN_VAIN: Readonly<Record<WaitOutcome, string | undefined>> = {
  granted: undefined,
  skipped: undefined,
  already_done: undefined,
  withdrawn: undefined,
  timed_out: "the Lease was not granted in time",
  refused: "the Lease was not free",
  queue_full: "as many waited as the Lease lets wait",
};

/** An admission that ended at `nowMs`. */
export function spansOfAdmission(
  { kind, namespace, name, lease, traceparent, isRoot }: TracedAdmission,
  tookMs: number,
  nowMs: number,
): Span[] {
  const named = parseTraceParent(traceparent);
  if (!named?.isSampled) return [];
  const { traceId, spanId } = named;
  return [
    {
      name: "admission",
      traceId,
      ...(isRoot ? { spanId } : { spanId: randomSpanId(), parentId: spanId }),
      startMs: nowMs - tookMs,
      endMs: nowMs,
      attributes: { ...aboutLease(namespace, lease), ...ofKind({ kind, name }) },
      namespace,
    },
  ];
}

/** Names of Kubernetes are those of OpenTelemetry's semantic conventions. */
const aboutLease = (namespace: string, lease: string): Attributes => ({
  "konductor.namespace": namespace,
  "konductor.lease": lease,
  "k8s.namespace.name": namespace,
});

function aboutHolder(namespace: string, lease: string, ref: HolderRef, holder: string): Attributes {
  return {
    ...aboutLease(namespace, lease),
    "konductor.holder": holder,
    "konductor.request": aboutClaimant(lease, ref).request,
    ...ofKind(ref),
  };
}

function ofKind({
  kind,
  name,
  uid,
  node,
}: Pick<HolderRef, "kind"> & Partial<Omit<HolderRef, "name">> & { name: string | undefined }): Attributes {
  switch (kind) {
    case "Pod":
      return { "k8s.pod.name": name, "k8s.pod.uid": uid, "k8s.node.name": node };
    case "Job":
      return { "k8s.job.name": name, "k8s.job.uid": uid };
    case "LeaseRequest":
      return { "konductor.request": name };
  }
}
