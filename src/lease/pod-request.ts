import { defined } from "../shared/json.ts";
import { requestName } from "./naming.ts";
import type { PodView } from "./pod.ts";
import type { Settings } from "./settings.ts";
import type { LeaseRequest } from "./types.ts";

/** The LeaseRequest by which `pod` waits, as its annotations wish. `requestedBy`: the account that writes it. */
export function requestOfPod(
  { namespace, name, uid }: Pick<PodView, "namespace" | "name" | "uid">,
  { lease, priority, ttlMs }: Settings,
  { nowMs, requestedBy }: { nowMs: number; requestedBy: string },
): Pick<LeaseRequest, "namespace" | "name" | "spec"> {
  const ref = { kind: "Pod", name, uid } as const;
  return {
    namespace,
    name: requestName(lease, ref),
    spec: {
      ...{ lease, holder: name, ref, requestedAtMs: nowMs, requestedBy },
      ...defined({ priority, ttlMs }),
    },
  };
}
