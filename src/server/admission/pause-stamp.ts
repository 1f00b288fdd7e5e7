/**
 * Writes to a Lease that pause or resume it: by whom it was paused, and when, is not the writer's to say. The name and the time are the API
 * server's. While it stays paused, what was stamped stays, whatever else is written; a replacement without the annotation keeps it.
 *
 * The webhook may be passed by while konductor is away, as a Lease must be pausable then: nobody is named by such a pause, except by himself
 * (policy konductor-leases).
 */
import { formatPause } from "../../lease/pause.ts";
import { flag, record, textMap } from "../../shared/json.ts";
import { PAUSE_ANNOTATION } from "../../shared/names.ts";
import type { AdmissionRequest } from "./review.ts";

type Fields = Record<string, unknown>;

/** `lease` as it is to be stored. */
export function stampPause(
  lease: Fields,
  { username, oldObject }: Pick<AdmissionRequest, "username" | "oldObject">,
  nowMs: number,
): Fields {
  const old = record(oldObject);
  if (!isPaused(lease)) return stamped(lease, undefined);
  return stamped(lease, isPaused(old) ? stampOf(old) : formatPause({ by: username, sinceMs: nowMs }));
}

const isPaused = (lease: Fields) => flag(record(lease["spec"])["paused"]) ?? false;

const stampOf = (lease: Fields) => textMap(record(lease["metadata"])["annotations"])[PAUSE_ANNOTATION];

function stamped(lease: Fields, stamp: string | undefined): Fields {
  if (stampOf(lease) === stamp) return lease;
  const metadata = record(lease["metadata"]);
  const { [PAUSE_ANNOTATION]: _, ...others } = textMap(metadata["annotations"]);
  const annotations = stamp === undefined ? others : { ...others, [PAUSE_ANNOTATION]: stamp };
  return { ...lease, metadata: { ...metadata, annotations } };
}
