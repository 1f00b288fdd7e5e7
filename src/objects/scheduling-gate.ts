import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { PODS } from "../kube/resources.ts";
import { hasCode } from "../shared/errors.ts";
import { list, record } from "../shared/json.ts";
import { SCHEDULING_GATE } from "../shared/names.ts";

/**
 * Takes our scheduling gate, and no other, from this very pod (KEP-3521: gates may only be removed). Resolves with false when there is
 * nothing to take: the pod is gone, or somebody was faster.
 */
export async function removeSchedulingGate(
  client: KubeClient,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
): Promise<boolean> {
  const pod = record(await find(client, PODS, { namespace, name }, (object) => object));
  const gates = list(record(pod["spec"])["schedulingGates"]);
  const index = gates.findIndex((gate) => record(gate)["name"] === SCHEDULING_GATE);
  if (record(pod["metadata"])["uid"] !== uid || index < 0) return false;
  const path = `/spec/schedulingGates/${index}`;
  const patch = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: `${path}/name`, value: SCHEDULING_GATE },
    { op: "remove", path },
  ];
  try {
    await client.patch(PODS, { namespace, name }, patch, { type: "json" });
    return true;
  } catch (error) {
    // A test that fails is answered by Invalid.
    if (hasCode(error, "NotFound", "Conflict", "Invalid")) return false;
    throw error;
  }
}
