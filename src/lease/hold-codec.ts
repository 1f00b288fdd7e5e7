/** Holds as the status of a Lease stores them, read into and written from the rules' own types. */
import { defined, flag, integer, list, record, text, timeMs } from "../shared/json.ts";
import { isoTime, microTime } from "../shared/times.ts";
import { DONE_REMEMBERED } from "./once.ts";
import { traceParentIn } from "./traceparent.ts";
import {
  type ClaimantRef,
  type Condition,
  DEFAULT_TTL_MS,
  type DoneWork,
  type EndReason,
  type Hold,
  type HolderPod,
  type HolderRef,
  type PastHold,
  type RevokeReason,
} from "./types.ts";

/** The hold that the status of a Lease shows, whose conditions are `conditions`; undefined: nobody holds. */
export function parseHold(
  status: Record<string, unknown>,
  conditions: readonly Condition[],
): Hold | undefined {
  const phase = text(status["phase"]);
  const ref = parseHolderRef(record(status["holderRef"]));
  const token = integer(status["fencingToken"]);
  if ((phase !== "Held" && phase !== "Expired") || !ref || token === undefined) return undefined;
  const isTrue = (type: string) =>
    conditions.find((condition) => condition.type === type && condition.status === "True");
  const revokedFor = isTrue("Revoked")?.reason;
  const revoked = REVOKE_REASONS.find((reason) => reason === revokedFor);
  const releasing = isTrue("Releasing") !== undefined;
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
    releasing,
    unreachable: isTrue("HolderUnreachable") !== undefined,
    ...defined({
      gateRun: text(status["gateRun"]),
      keeperSince: text(status["keeperSince"]),
      renewTimeMs: timeMs(status["renewTime"]),
      confirmedMs: timeMs(status["confirmedAt"]),
      releasingMs: releasing ? timeMs(status["releasingSince"]) : undefined,
      traceparent: traceParentIn(text(status["traceparent"])),
      once: text(status["once"]),
    }),
    ...(flag(status["succeeded"]) && { succeeded: true }),
    ...(revoked && { revoked }),
    ...(ref.kind === "Job" && {
      pods: list(status["holderPods"])
        .map(parseHolderPod)
        .filter((pod) => pod !== undefined),
    }),
  };
}

const REVOKE_REASONS: readonly RevokeReason[] = ["NotStarted", "CrashLooping", "Forced"];

/** The fields of a Lease's status that tell of its hold, but for its phase. */
export function formatHold(hold: Hold): Record<string, unknown> {
  return {
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
      confirmedAt: hold.confirmedMs === undefined ? undefined : isoTime(hold.confirmedMs),
      releasingSince:
        hold.releasing && hold.releasingMs !== undefined ? isoTime(hold.releasingMs) : undefined,
      traceparent: hold.traceparent,
      once: hold.once,
      succeeded: hold.succeeded,
    }),
  };
}

/** Undefined where it names nobody who could claim. */
export function parseClaimantRef(ref: Record<string, unknown>): ClaimantRef | undefined {
  const { kind } = ref;
  const name = text(ref["name"]);
  const uid = text(ref["uid"]);
  if ((kind !== "Pod" && kind !== "Job" && kind !== "LeaseRequest") || !name || !uid) return undefined;
  return { kind, name, uid };
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

/** The reason of a hold's end that is called so. */
export function parseEndReason(value: unknown): EndReason | undefined {
  return END_REASONS.find((reason) => reason === value);
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

/** One entry of `status.history`. */
export function parsePastHold(value: unknown): PastHold {
  const past = record(value);
  return {
    holder: text(past["holder"]) ?? "",
    acquiredMs: timeMs(past["acquired"]) ?? 0,
    endedMs: timeMs(past["ended"]) ?? 0,
    reason: parseEndReason(past["reason"]) ?? "Released",
    token: integer(past["token"]) ?? 0,
    ...defined({ by: text(past["by"]) }),
  };
}

/** As {@link parsePastHold} reads it. */
export function formatPastHold({ acquiredMs, endedMs, ...past }: PastHold): Record<string, unknown> {
  return { ...past, acquired: isoTime(acquiredMs), ended: isoTime(endedMs) };
}

/** `status.done`: at most {@link DONE_REMEMBERED} entries; what cannot be read is left out. */
export function parseDone(value: unknown): DoneWork[] {
  return list(value)
    .slice(0, DONE_REMEMBERED)
    .map((entry) => {
      const { key, holder, token, time } = record(entry);
      return { key: text(key), holder: text(holder) ?? "", token: integer(token), timeMs: timeMs(time) ?? 0 };
    })
    .filter((work): work is DoneWork => work.key !== undefined && work.token !== undefined);
}

/** As {@link parseDone} reads it. */
export function formatDoneWork({ timeMs: ms, ...work }: DoneWork): Record<string, unknown> {
  return { ...work, time: isoTime(ms) };
}
