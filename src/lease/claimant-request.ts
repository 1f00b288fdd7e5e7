import { defined } from "../shared/json.ts";
import { requestName } from "./naming.ts";
import type { Settings } from "./settings.ts";
import type { ClaimantRef, LeaseRequest } from "./types.ts";

/** Who writes a claimant's request, when, and for which run of the pod's gate. */
export interface Wish {
  nowMs: number;
  requestedBy: string;
  gateRun?: string | undefined;
}

/** The LeaseRequest by which a pod or a Job waits, as its annotations ask. */
export function requestOf(
  kind: "Pod" | "Job",
  { namespace, name, uid }: Omit<ClaimantRef, "kind"> & { namespace: string },
  settings: Settings,
  { nowMs, requestedBy, gateRun }: Wish,
): Pick<LeaseRequest, "namespace" | "name" | "spec" | "traceparent"> {
  const { lease, priority, ttlMs, once, traceparent } = settings;
  const ref = { kind, name, uid };
  return {
    namespace,
    name: requestName(lease, ref),
    ...defined({ traceparent }),
    spec: {
      ...{ lease, holder: name, ref, requestedAtMs: nowMs, requestedBy },
      ...defined({ priority, ttlMs, waitUntilMs: waitUntilMs(settings, nowMs), gateRun, once }),
    },
  };
}

/** Whole milliseconds, as stored, rounded up: even the shortest wait differs from a single try. */
function waitUntilMs({ ifHeld, waitTimeoutMs }: Settings, nowMs: number): number | undefined {
  if (ifHeld === "fail") return nowMs;
  return waitTimeoutMs === undefined ? undefined : nowMs + Math.ceil(waitTimeoutMs);
}
