import { defined } from "../shared/json.ts";
import { requestName } from "./naming.ts";
import type { PodView } from "./pod.ts";
import type { Settings } from "./settings.ts";
import type { LeaseRequest } from "./types.ts";

/** Who writes a pod's request, when, and for which run of the pod's gate. */
export interface PodWish {
  nowMs: number;
  requestedBy: string;
  gateRun?: string | undefined;
}

/** The LeaseRequest by which `pod` waits, as its annotations wish. */
export function requestOfPod(
  { namespace, name, uid }: Pick<PodView, "namespace" | "name" | "uid">,
  settings: Settings,
  { nowMs, requestedBy, gateRun }: PodWish,
): Pick<LeaseRequest, "namespace" | "name" | "spec"> {
  const { lease, priority, ttlMs } = settings;
  const ref = { kind: "Pod", name, uid } as const;
  return {
    namespace,
    name: requestName(lease, ref),
    spec: {
      ...{ lease, holder: name, ref, requestedAtMs: nowMs, requestedBy },
      ...defined({ priority, ttlMs, waitUntilMs: waitUntilMs(settings, nowMs), gateRun }),
    },
  };
}

/** As it is written: in whole milliseconds, and the shortest wait is more than one try. */
function waitUntilMs({ ifHeld, waitTimeoutMs }: Settings, nowMs: number): number | undefined {
  if (ifHeld === "fail") return nowMs;
  return waitTimeoutMs === undefined ? undefined : nowMs + Math.ceil(waitTimeoutMs);
}
