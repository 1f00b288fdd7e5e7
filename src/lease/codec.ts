/** Leases and LeaseRequests as the API server stores them, read into and written from the rules' own types. */
import { defined, flag, integer, list, parseJson, record, text, textMap, timeMs } from "../shared/json.ts";
import {
  ANNOTATION,
  CLIENT_ATTEMPT_ANNOTATION,
  CLIENT_POD_ANNOTATION,
  FORCE_RELEASE_ANNOTATION,
  PAUSE_ANNOTATION,
} from "../shared/names.ts";
import { isoTime, microTime, secondsTime } from "../shared/times.ts";
import { conditionsOf, grantedCondition } from "./conditions.ts";
import { takeOver } from "./done-annotations.ts";
import { parseDuration } from "./duration.ts";
import {
  formatDoneWork,
  formatHold,
  formatPastHold,
  parseClaimantRef,
  parseDone,
  parseHold,
  parsePastHold,
} from "./hold-codec.ts";
import { parsePause } from "./pause.ts";
import { traceParentIn } from "./traceparent.ts";
import {
  type ClaimantRef,
  type Condition,
  DEFAULT_TTL_MS,
  type ForcedRelease,
  type Lease,
  type LeaseRequest,
  type LeaseStatus,
  type RequestPhase,
} from "./types.ts";

/** Reads a klease. The CRD's schema has refused invalid values; missing ones get their defaults. */
export function parseLease(object: unknown): Lease {
  const lease = record(object);
  const spec = record(lease["spec"]);
  const policy = spec["handoverPolicy"];
  const paused = flag(spec["paused"]) ?? false;
  const metadata = parseMetadata(lease);
  const annotations = annotationsOf(lease);
  return {
    ...metadata,
    ...defined({
      forced: parseForcedRelease(annotations[FORCE_RELEASE_ANNOTATION]),
      pause: paused ? parsePause(annotations[PAUSE_ANNOTATION]) : undefined,
    }),
    ...takeOver(parseLeaseStatus(record(lease["status"])), annotations, metadata.createdMs),
    spec: {
      ttlMs: durationMs(spec["ttl"]) ?? DEFAULT_TTL_MS,
      priority: integer(spec["priority"]) ?? 0,
      renewable: flag(spec["renewable"]) ?? true,
      ...((policy === "AfterExpiry" || policy === "AfterTermination") && { handoverPolicy: policy }),
      ...defined({
        minIntervalMs: durationMs(spec["minInterval"]),
        maxWaiting: integer(spec["maxWaiting"]),
      }),
      ...(paused && { paused, ...defined({ pauseReason: text(spec["pauseReason"]) }) }),
    },
  };
}

/** Our webhook writes the annotation; an unreadable one forces nothing. */
function parseForcedRelease(written: string | undefined): ForcedRelease | undefined {
  if (written === undefined) return undefined;
  const { token, by, now } = record(parseJson(written));
  const forced = { token: integer(token), by: text(by), now: flag(now) ?? false };
  return forced.token === undefined || forced.by === undefined
    ? undefined
    : { token: forced.token, by: forced.by, now: forced.now };
}

/** The value of the annotation that {@link parseLease} reads. */
export function formatForcedRelease({ token, by, now }: ForcedRelease): string {
  return JSON.stringify({ token, by, now });
}

const annotationsOf = (object: Record<string, unknown>) => textMap(record(object["metadata"])["annotations"]);

function parseMetadata(object: Record<string, unknown>) {
  const metadata = record(object["metadata"]);
  return {
    namespace: text(metadata["namespace"]) ?? "",
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    generation: integer(metadata["generation"]) ?? 0,
    createdMs: timeMs(metadata["creationTimestamp"]) ?? 0,
    terminating: metadata["deletionTimestamp"] !== undefined,
  };
}

function durationMs(value: unknown): number | undefined {
  const duration = text(value);
  return duration === undefined ? undefined : parseDuration(duration);
}

function parseLeaseStatus(status: Record<string, unknown>): LeaseStatus {
  const conditions = list(status["conditions"]).map(parseCondition);
  const hold = parseHold(status, conditions);
  const unreachable = conditions.find(
    ({ type, status }) => type === "HolderUnreachable" && status === "True",
  );
  return {
    ...defined({
      hold,
      awaited: hold ? undefined : unreachable?.message,
      lastToken: integer(status["fencingToken"]),
      lastRequest: text(status["requestUID"]),
      skipped: integer(status["skipped"]),
      lastEndedMs: timeMs(status["lastEnded"]),
      next: parseNext(record(status["next"])),
    }),
    waiters: integer(status["waiters"]) ?? 0,
    history: list(status["history"]).map(parsePastHold),
    ...(status["done"] !== undefined && { done: parseDone(status["done"]) }),
    holdSeconds: list(status["holdSeconds"]).map((seconds) => integer(seconds) ?? 0),
    conditions,
    observedGeneration: integer(status["observedGeneration"]) ?? 0,
  };
}

function parseNext({ holder, requestedAt }: Record<string, unknown>): LeaseStatus["next"] {
  const next = { holder: text(holder), sinceMs: timeMs(requestedAt) };
  return next.holder === undefined || next.sinceMs === undefined
    ? undefined
    : { holder: next.holder, sinceMs: next.sinceMs };
}

/** A pod or a Job owns its request; a client's has no owner. */
function parseOwnerRef(ref: Record<string, unknown>): ClaimantRef | undefined {
  return ref["kind"] === "LeaseRequest" ? undefined : parseClaimantRef(ref);
}

function parseCondition(value: unknown): Condition {
  const condition = record(value);
  return {
    type: text(condition["type"]) ?? "",
    status: condition["status"] === "True" ? "True" : "False",
    reason: text(condition["reason"]) ?? "",
    message: text(condition["message"]) ?? "",
    lastTransitionMs: timeMs(condition["lastTransitionTime"]) ?? 0,
  };
}

/** A Lease's status as it is written. `lease` is the one it was computed from; `nowMs` stamps conditions that changed. */
export function formatLeaseStatus(lease: Lease, status: LeaseStatus, nowMs: number): Record<string, unknown> {
  const { hold } = status;
  return {
    phase: hold ? (hold.expired ? "Expired" : "Held") : "Available",
    ...(hold && formatHold(hold)),
    ...defined({
      fencingToken: status.lastToken,
      requestUID: status.lastRequest,
      skipped: status.skipped,
      lastEnded: status.lastEndedMs === undefined ? undefined : isoTime(status.lastEndedMs),
    }),
    waiters: status.waiters,
    ...(status.next && { next: { holder: status.next.holder, requestedAt: isoTime(status.next.sinceMs) } }),
    history: status.history.map(formatPastHold),
    ...(status.done && { done: status.done.map(formatDoneWork) }),
    holdSeconds: status.holdSeconds,
    conditions: conditionsOf(lease, status, nowMs)
      .map(formatCondition)
      .map((condition) => ({ ...condition, observedGeneration: lease.generation })),
    observedGeneration: lease.generation,
  };
}

function formatCondition({ lastTransitionMs, ...condition }: Condition) {
  return { ...condition, lastTransitionTime: secondsTime(lastTransitionMs) };
}

const REQUEST_PHASES: readonly RequestPhase[] = ["Pending", "Granted", "Denied", "Expired"];

export function parseLeaseRequest(object: unknown): LeaseRequest {
  const request = record(object);
  const spec = record(request["spec"]);
  const status = record(request["status"]);
  const metadata = parseMetadata(request);
  const annotations = annotationsOf(request);
  const clientPod = annotations[CLIENT_POD_ANNOTATION];
  const clientAttempt = annotations[CLIENT_ATTEMPT_ANNOTATION];
  const traceparent = traceParentIn(annotations[ANNOTATION.traceparent]);
  const granted = parseGranted(list(status["conditions"]).map(parseCondition));
  return {
    ...metadata,
    ...defined({ clientPod, clientAttempt, granted, traceparent }),
    spec: {
      lease: text(spec["lease"]) ?? "",
      holder: text(spec["holder"]) ?? "",
      requestedAtMs: timeMs(spec["requestedAt"]) ?? metadata.createdMs,
      ...defined({
        ref: parseOwnerRef(record(spec["holderRef"])),
        priority: integer(spec["priority"]),
        ttlMs: durationMs(spec["ttl"]),
        requestedBy: text(spec["requestedBy"]),
        renewTimeMs: timeMs(spec["renewTime"]),
        waitUntilMs: timeMs(spec["waitUntil"]),
        gateRun: text(spec["gateRun"]),
        once: text(spec["once"]),
        succeeded: integer(spec["succeeded"]),
      }),
    },
    status: {
      phase: REQUEST_PHASES.find((phase) => phase === status["phase"]) ?? "Pending",
      ...(flag(status["mayWait"]) && { mayWait: true }),
      ...defined({
        reason: text(status["reason"]),
        token: integer(status["fencingToken"]),
        holdTtlMs: integer(status["holdTtlMs"]),
        expiresMs: timeMs(status["expires"]),
      }),
    },
  };
}

function parseGranted(conditions: readonly Condition[]): LeaseRequest["granted"] {
  const condition = conditions.find(({ type }) => type === "Granted");
  const { status, lastTransitionMs: sinceMs = 0 } = condition ?? {};
  return sinceMs === 0 ? undefined : { is: status === "True", sinceMs };
}

/**
 * A LeaseRequest's status as it is written. Its condition has no observedGeneration: a client changes its spec with each renewal, to which no
 * status answers, and `kubectl wait` would take the condition for outdated.
 */
export function formatRequestStatus(
  request: LeaseRequest,
  status: LeaseRequest["status"],
  nowMs: number,
): Record<string, unknown> {
  const { phase, reason, mayWait, token, holdTtlMs, expiresMs } = status;
  return {
    phase,
    ...defined({
      reason,
      mayWait,
      fencingToken: token,
      holdTtlMs,
      expires: expiresMs === undefined ? undefined : microTime(expiresMs),
    }),
    conditions: [formatCondition(grantedCondition(request, status, nowMs))],
  };
}
