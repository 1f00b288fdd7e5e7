/** Events of kleases, as the dashboard keeps them: of each only the hold whose end it tells. */
import { keyOf, type PastHold } from "../../lease/types.ts";
import { endOfEvent } from "../../objects/hold-events.ts";
import { defined, record, text } from "../../shared/json.ts";

export interface LeaseEvent {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  /** The key of its klease; undefined if it tells of no end. */
  lease?: string;
  /** Of its klease: a klease of the same name may have been made since. */
  leaseUid?: string;
  past?: PastHold;
}

/** Reads a v1 Event about a klease. */
export function parseLeaseEvent(object: unknown): LeaseEvent {
  const event = record(object);
  const metadata = record(event["metadata"]);
  const about = record(event["involvedObject"]);
  const namespace = text(metadata["namespace"]) ?? "";
  const past = endOfEvent(event);
  return {
    namespace,
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    ...(past && {
      ...{ past, lease: keyOf({ namespace, name: text(about["name"]) ?? "" }) },
      ...defined({ leaseUid: text(about["uid"]) }),
    }),
  };
}
