/** Leases and LeaseRequests as the API server stores them, read into and written from the rules' own types. */
import { defined, flag, integer, list, parseJson, record, text, textMap, timeMs } from "../shared/json.ts";
import { CLIENT_POD_ANNOTATION, FORCE_RELEASE_ANNOTATION } from "../shared/names.ts";
import { isoTime, microTime, secondsTime } from "../shared/times.ts";
import { conditionsOf, grantedCondition } from "./conditions.ts";
import { parseDuration } from "./duration.ts";
import type {
  ClaimantRef,
  Condition,
  EndReason,
  ForcedRelease,
  Hold,
  HolderPod,
  HolderRef,
  Lease,
  LeaseRequest,
  LeaseStatus,
  PastHold,
  RequestPhase,
  RevokeReason,
} from "./types.ts";

export const DEFAULT_TTL_MS = 600_000;

/** Reads a klease. The CRD's schema has refused invalid values; missing ones get their defaults. */
export function parseLease(object: unknown): Lease {
  const lease = record(object);
  const spec = record(lease["spec"]);
  const policy = spec["handoverPolicy"];
  return {
    ...parseMetadata(lease),
    ...defined({ forced: parseForcedRelease(lease) }),
    spec: {
      ttlMs: durationMs(spec["ttl"]) ?? DEFAULT_TTL_MS,
      priority: integer(spec["priority"]) ?? 0,
      renewable: flag(spec["renewable"]) ?? true,
      ...((policy === "AfterExpiry" || policy === "AfterTermination") && { handoverPolicy: policy }),
    },
    status: parseLeaseStatus(record(lease["status"])),
  };
}

/** Our webhook writes the annotation; an unreadable one forces nothing. */
function parseForcedRelease(lease: Record<string, unknown>): ForcedRelease | undefined {
  const written = textMap(record(lease["metadata"])["annotations"])[FORCE_RELEASE_ANNOTATION];
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
  return {
    ...defined({
      hold: parseHold(status, conditions),
      lastToken: integer(status["fencingToken"]),
      lastRequest: text(status["requestUID"]),
      skipped: integer(status["skipped"]),
      next: parseNext(record(status["next"])),
    }),
    waiters: integer(status["waiters"]) ?? 0,
    history: list(status["history"]).map(parsePastHold),
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

function parseHold(status: Record<string, unknown>, conditions: readonly Condition[]): Hold | undefined {
  const phase = text(status["phase"]);
  const ref = parseHolderRef(record(status["holderRef"]));
  const token = integer(status["fencingToken"]);
  if ((phase !== "Held" && phase !== "Expired") || !ref || token === undefined) return undefined;
  const isTrue = (type: string) =>
    conditions.find((condition) => condition.type === type && condition.status === "True");
  const revokedFor = isTrue("Revoked")?.reason;
  const revoked = REVOKE_REASONS.find((reason) => reason === revokedFor);
  return {
    holder: text(status["holder"]) ?? "",
    ref,
    token,
    acquiredMs: timeMs(status["acquired"]) ?? 0,
    expiresMs: timeMs(status["expires"]) ?? 0,
    ttlMs: integer(status["holdTtlMs"]) ?? DEFAULT_TTL_MS,
    renewals: integer(status["renewals"]) ?? 0,
    confirmed: flag(status["confirmed"]) ?? false,
    expired: phase === "Expired",
    releasing: isTrue("Releasing") !== undefined,
    unreachable: isTrue("HolderUnreachable") !== undefined,
    ...defined({
      gateRun: text(status["gateRun"]),
      keeperSince: text(status["keeperSince"]),
      renewTimeMs: timeMs(status["renewTime"]),
    }),
    ...(revoked && { revoked }),
    ...(ref.kind === "Job" && {
      pods: list(status["holderPods"])
        .map(parseHolderPod)
        .filter((pod) => pod !== undefined),
    }),
  };
}

const REVOKE_REASONS: readonly RevokeReason[] = ["NotStarted", "CrashLooping", "Forced"];

function parseClaimantRef(ref: Record<string, unknown>): ClaimantRef | undefined {
  const { kind } = ref;
  const name = text(ref["name"]);
  const uid = text(ref["uid"]);
  if ((kind !== "Pod" && kind !== "Job" && kind !== "LeaseRequest") || !name || !uid) return undefined;
  return { kind, name, uid };
}

/** A pod or a Job owns its request; a client's has no owner. */
function parseOwnerRef(ref: Record<string, unknown>): ClaimantRef | undefined {
  return ref["kind"] === "LeaseRequest" ? undefined : parseClaimantRef(ref);
}

function parseHolderRef(ref: Record<string, unknown>): HolderRef | undefined {
  const claimant = parseClaimantRef(ref);
  return (
    claimant && {
      ...claimant,
      ...defined({
        node: text(ref["node"]),
        graceSeconds: integer(ref["graceSeconds"]),
        selfFencing: flag(ref["selfFencing"]),
        stoppingSinceMs: timeMs(ref["stoppingSince"]),
      }),
    }
  );
}

function formatHolderRef<T extends HolderRef>({ stoppingSinceMs, ...ref }: T) {
  return { ...ref, ...(stoppingSinceMs !== undefined && { stoppingSince: isoTime(stoppingSinceMs) }) };
}

function parseHolderPod(value: unknown): HolderPod | undefined {
  const pod = record(value);
  const ref = parseHolderRef({ ...pod, kind: "Pod" });
  return (
    ref && {
      ...ref,
      kind: "Pod",
      releasing: flag(pod["releasing"]) ?? false,
      ...defined({ gateRun: text(pod["gateRun"]), keeperSince: text(pod["keeperSince"]) }),
    }
  );
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

const END_REASONS: readonly EndReason[] = [
  "Released",
  "Terminated",
  "Expired",
  "NotConfirmed",
  "Fenced",
  "Restarted",
  "Forced",
  "Suspended",
  "NotStarted",
];

function parsePastHold(value: unknown): PastHold {
  const past = record(value);
  return {
    holder: text(past["holder"]) ?? "",
    acquiredMs: timeMs(past["acquired"]) ?? 0,
    endedMs: timeMs(past["ended"]) ?? 0,
    reason: END_REASONS.find((reason) => reason === past["reason"]) ?? "Released",
    token: integer(past["token"]) ?? 0,
    ...defined({ by: text(past["by"]) }),
  };
}

/** A Lease's status as it is written. `lease` is the one it was computed from; `nowMs` stamps conditions that changed. */
export function formatLeaseStatus(lease: Lease, status: LeaseStatus, nowMs: number): Record<string, unknown> {
  const { hold } = status;
  return {
    phase: hold ? (hold.expired ? "Expired" : "Held") : "Available",
    ...(hold && {
      holder: hold.holder,
      holderRef: formatHolderRef(hold.ref),
      ...(hold.pods && {
        holderPods: hold.pods.map(formatHolderRef).map(({ kind: _, ...pod }) => pod),
      }),
      acquired: isoTime(hold.acquiredMs),
      expires: isoTime(hold.expiresMs),
      renewals: hold.renewals,
      holdTtlMs: hold.ttlMs,
      confirmed: hold.confirmed,
      ...defined({
        gateRun: hold.gateRun,
        keeperSince: hold.keeperSince,
        renewTime: hold.renewTimeMs === undefined ? undefined : microTime(hold.renewTimeMs),
      }),
    }),
    ...defined({
      fencingToken: status.lastToken,
      requestUID: status.lastRequest,
      skipped: status.skipped,
    }),
    waiters: status.waiters,
    ...(status.next && { next: { holder: status.next.holder, requestedAt: isoTime(status.next.sinceMs) } }),
    history: status.history.map(({ acquiredMs, endedMs, ...past }) => ({
      ...past,
      acquired: isoTime(acquiredMs),
      ended: isoTime(endedMs),
    })),
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
  const clientPod = textMap(record(request["metadata"])["annotations"])[CLIENT_POD_ANNOTATION];
  const granted = parseGranted(list(status["conditions"]).map(parseCondition));
  return {
    ...metadata,
    ...defined({ clientPod, granted }),
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
      }),
    },
    status: {
      phase: REQUEST_PHASES.find((phase) => phase === status["phase"]) ?? "Pending",
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
  const { phase, reason, token, holdTtlMs, expiresMs } = status;
  return {
    phase,
    ...defined({
      reason,
      fencingToken: token,
      holdTtlMs,
      expires: expiresMs === undefined ? undefined : microTime(expiresMs),
    }),
    conditions: [formatCondition(grantedCondition(request, status, nowMs))],
  };
}
