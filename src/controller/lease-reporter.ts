import type { EventRecorder } from "../kube/events.ts";
import type { Why } from "../lease/decide.ts";
import { keyOf, type Lease } from "../lease/types.ts";
import type { Logger } from "../shared/log.ts";
import { API_VERSION } from "../shared/names.ts";

/** Tells people what happened to a Lease: an Event that `kubectl describe` shows, and a line in the log. */
export interface LeaseReporter {
  /** `after` was written in the place of `before`. A hold's end and the next grant may be one write. */
  report(why: Why, before: Lease, after: Lease): void;
  holderDeleted(lease: Lease, ref: { name: string; uid: string }): void;
}

interface Report {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export function createLeaseReporter({
  events,
  logger,
}: {
  events: EventRecorder;
  logger: Logger;
}): LeaseReporter {
  function tell(lease: Lease, { type, reason, message }: Report): void {
    const { namespace, name, uid } = lease;
    logger.info({ klease: keyOf(lease), reason }, message);
    events.record({
      object: { apiVersion: API_VERSION, kind: "Lease", namespace, name, uid },
      type,
      reason,
      message,
    });
  }

  return {
    report(why, before, after) {
      const old = before.status.hold;
      const hold = after.status.hold;
      if (old && hold?.token !== old.token) tell(after, endOf(after));
      if (hold && hold.token !== old?.token) {
        tell(after, {
          type: "Normal",
          reason: "Granted",
          message: `granted to ${hold.holder}, token ${hold.token}`,
        });
      } else if (hold) {
        tell(after, {
          type: "Warning",
          reason: why === "Expiring" ? "Expired" : why,
          message: changeOf(why, after),
        });
      }
    },
    holderDeleted(lease, { name }) {
      tell(lease, {
        type: "Warning",
        reason: "HolderDeleted",
        message: `deleted pod ${name}: it no longer holds this klease and cannot stop its containers itself`,
      });
    },
  };
}

function endOf({ status }: Lease): Report {
  const [past] = status.history;
  const isNormal = past?.reason === "Released" || past?.reason === "Terminated";
  return {
    type: isNormal ? "Normal" : "Warning",
    reason: past?.reason ?? "Released",
    message: `the hold of ${past?.holder} (token ${past?.token}) ended: ${past?.reason}`,
  };
}

function changeOf(why: Why, { status }: Lease): string {
  const holder = status.hold?.holder;
  switch (why) {
    case "Expiring":
      return `${holder} has been silent for its whole TTL`;
    case "Revoked":
      return `no main container of ${holder} started in time; its next renewal is refused`;
    default:
      return `nothing proves that the containers of ${holder} have stopped; see the klease's conditions`;
  }
}
