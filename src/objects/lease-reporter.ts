import type { Budget } from "../kube/event-budgets.ts";
import type { EventObject, EventRecorder, EventReport } from "../kube/events.ts";
import { causeOfRevocation } from "../lease/conditions.ts";
import { formatDuration } from "../lease/duration.ts";
import { forcedRelease } from "../lease/hold.ts";
import { lateRenewalMs, leftMs } from "../lease/hold-renewal.ts";
import { aboutClaimant, aboutHold, aboutLease, type LogFields } from "../lease/log-fields.ts";
import type { Hold, Lease, PastHold } from "../lease/types.ts";
import type { Logger } from "../shared/log.ts";
import { API_VERSION } from "../shared/names.ts";
import { endAnnotations, holdAnnotations } from "./hold-events.ts";

/** Tells people what happened to a Lease: an Event that `kubectl describe` shows, and a line in the log. */
export interface LeaseReporter {
  /** `after` has replaced `before`; whoever wrote it calls this. A hold's end and the next grant may be one write. */
  report(before: Lease, after: Lease): void;
  holderDeleted(lease: Lease, ref: { name: string; uid: string }): void;
  /** The holder's pod has containers that have ended, and `running`, which keep its hold. */
  holderLingers(lease: Lease, ref: { name: string; uid: string }, running: readonly string[]): void;
}

/** Counts what becomes of holds. Whoever writes a change tells it, so all replicas together count it once. */
export interface HoldRecorder {
  granted(): void;
  ended(past: PastHold): void;
  /**
   * `leftMs`: what was left of the ttl, by the time of day; below 0 if it was used up. `isLate`: more than two thirds had passed.
   */
  renewed(renewal: { leftMs: number; isLate: boolean }): void;
}

/** What one event says. */
export interface Report {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export function createLeaseReporter({
  events,
  recorder,
  logger,
  onChange,
}: {
  events: Pick<EventRecorder, "record">;
  recorder: HoldRecorder;
  logger: Logger;
  /** Called with every change that this replica has written. */
  onChange?: ((before: Lease, after: Lease) => void) | undefined;
}): LeaseReporter {
  function tell(
    lease: Lease,
    about: LogFields,
    { type, reason, message }: Report,
    more: Pick<EventReport, "annotations" | "budget"> = {},
  ): void {
    const mayNeedHelp = type === "Warning" && reason !== RENEWED_LATE;
    const { namespace, name, uid } = lease;
    logger.info({ ...aboutLease(lease), ...about, reason }, message);
    events.record({
      object: { apiVersion: API_VERSION, kind: "Lease", namespace, name, uid },
      type,
      reason,
      message,
      // The end of a hold, and what somebody may have to act on.
      isUrgent: more.budget === ENDS || type === "Warning",
      budget: mayNeedHelp ? WARNINGS : undefined,
      ...more,
    });
  }

  return {
    report(before, after) {
      count(recorder, before, after);
      onChange?.(before, after);
      for (const { hold, report, past } of changesOf(before, after)) {
        const more = past ? { annotations: endAnnotations(past), budget: ENDS } : ofHold(hold);
        tell(after, hold ? aboutHold(after, hold) : {}, report, more);
      }
    },
    holderDeleted(lease, { name, uid }) {
      const why =
        lease.status.hold?.revoked === "Forced"
          ? "this klease was released by force"
          : "it no longer holds this klease and cannot stop its containers itself";
      const report: Report = {
        ...{ type: "Warning", reason: "HolderDeleted" },
        message: `deleted pod ${name}: ${why}`,
      };
      tell(lease, aboutPodOf(lease, { name, uid }), report, ofHold(lease.status.hold));
    },
    holderLingers(lease, { name, uid }, running) {
      const message =
        `pod ${name} still holds this klease: ${running.join(", ")} runs on although other containers have ended. A sidecar that ` +
        "should end with main belongs among the init containers, with restartPolicy Always";
      const report: Report = { type: "Warning", reason: "HolderLingers", message };
      tell(lease, aboutPodOf(lease, { name, uid }), report, ofHold(lease.status.hold));
    },
  };
}

/**
 * Of the ends of a Lease's holds, so that they are the history beyond the ten that its status has. An hour then has 85 at most, fewer than the
 * events that Kubernetes itself makes of the pods.
 */
const ENDS: Budget = { name: "ends", refillEveryMs: 60_000 };

/** Of the warnings that somebody may have to act on. They are told once, and the grants and late renewals of a busy Lease must not use them up. */
const WARNINGS: Budget = { name: "warnings", refillEveryMs: 60_000 };

/** The one warning that comes with ordinary work, as often as the holder renews. */
const RENEWED_LATE = "RenewedLate";

/** What lets a reader tell which hold an event is about; nothing if the Lease has been deleted with it. */
const ofHold = (hold: Hold | undefined) => (hold ? { annotations: holdAnnotations(hold) } : {});

/** A pod that may run under the hold of `lease`, or ran under that of a deleted one. */
function aboutPodOf(lease: Lease, { name, uid }: { name: string; uid: string }): LogFields {
  const { hold } = lease.status;
  const about = hold ? aboutHold(lease, hold) : aboutClaimant(lease.name, { kind: "Pod", name, uid });
  return { ...about, pod: name };
}

function count(recorder: HoldRecorder, before: Lease, after: Lease): void {
  const [old, hold] = [before.status.hold, after.status.hold];
  const isSame = old?.token === hold?.token;
  const [past] = after.status.history;
  if (old && !isSame && past) recorder.ended(past);
  if (hold && !isSame) recorder.granted();
  if (old && hold && isSame && hold.renewals > old.renewals)
    recorder.renewed({ leftMs: leftMs(old, hold), isLate: lateRenewalMs(old, hold) > 0 });
}

/** Event for whoever waits for a Lease that konductor may not create. */
export function leaseMissing(claimant: EventObject, lease: string): EventReport {
  const message = `klease ${lease} does not exist, and konductor may not create it: create it`;
  return { object: claimant, type: "Warning", reason: "LeaseMissing", message };
}

/** What is worth telling of a change of status. A renewal in time is not. */
export function reportsOf(before: Lease, after: Lease): Report[] {
  return changesOf(before, after).map(({ report }) => report);
}

/** The same, each with the hold that it is about, if any, and what the history says of one that has ended. */
function changesOf(before: Lease, after: Lease): { hold?: Hold; report: Report; past?: PastHold }[] {
  const [old, hold] = [before.status.hold, after.status.hold];
  const isSame = old?.token === hold?.token;
  const [past] = after.status.history;
  return [
    ...(old && !isSame && past ? [{ hold: old, report: endOf(past), past }] : []),
    ...(hold && !isSame ? [{ hold, report: grantOf(hold) }] : []),
    ...(old && hold && isSame ? warningsOf(old, hold, after).map((report) => ({ hold, report })) : []),
    ...[...pauseOf(before, after), ...awaitedOf(before, after)].map((report) => ({ report })),
  ];
}

/** Somebody may have to act, although nobody holds. */
function awaitedOf(before: Lease, { status: { awaited } }: Lease): Report[] {
  return awaited === undefined || before.status.awaited !== undefined
    ? []
    : [{ type: "Warning", reason: "HolderUnreachable", message: awaited }];
}

/** Told by whoever writes the condition: the Lease's own users have changed its spec. */
function pauseOf(before: Lease, after: Lease): Report[] {
  const [was, is] = [before, after].map(({ status }) =>
    status.conditions.find(({ type }) => type === "Paused"),
  );
  if (is?.status === "True" && was?.status !== "True")
    return [{ type: "Normal", reason: "Paused", message: is.message }];
  return is?.status === "False" && was?.status === "True"
    ? [{ type: "Normal", reason: "Resumed", message: "it is granted again to whoever waits" }]
    : [];
}

function grantOf({ holder, token }: Hold): Report {
  return { type: "Normal", reason: "Granted", message: `granted to ${holder}, token ${token}` };
}

function endOf({ holder, token, reason, by }: PastHold): Report {
  const isNormal = reason === "Released" || reason === "Terminated";
  return {
    type: isNormal ? "Normal" : "Warning",
    reason,
    message: `the hold of ${holder} (token ${token}) ended: ${reason}${by ? ` by ${by}` : ""}`,
  };
}

function warningsOf(old: Hold, hold: Hold, lease: Lease): Report[] {
  const { holder, token } = hold;
  const lateMs = lateRenewalMs(old, hold);
  const warnings = {
    Expired: !old.expired && hold.expired && `${holder} has not renewed for its whole ttl`,
    Revoked: !old.revoked && hold.revoked && revocation(hold, forcedRelease(lease, hold)?.by),
    HolderUnreachable:
      !old.unreachable &&
      hold.unreachable &&
      `nothing proves that the containers of ${holder} have stopped; see the klease's conditions`,
    [RENEWED_LATE]:
      lateMs > 0 &&
      `${holder} (token ${token}) renewed after ${formatDuration(lateMs)} of its ttl ${formatDuration(old.ttlMs)}`,
  };
  return Object.entries(warnings).flatMap(([reason, message]) =>
    message ? [{ type: "Warning" as const, reason, message }] : [],
  );
}

function revocation(hold: Hold, by: string | undefined): string {
  const cause = causeOfRevocation(hold, by);
  return hold.revoked === "Forced"
    ? `${cause}; its renewals are refused, and the next waiter is granted once it has ended`
    : `${cause}; its next renewal is refused`;
}
