import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { PODS } from "../kube/resources.ts";
import { hasCode } from "../shared/errors.ts";
import { list, record } from "../shared/json.ts";
import { SCHEDULING_GATE } from "../shared/names.ts";
import type { UidRef } from "./live-objects.ts";

/**
 * Takes our scheduling gate, and no other, from this very pod (KEP-3521: gates may only be removed). Resolves with false when there is
 * nothing to take: the pod is gone, somebody was faster, or it is not meant. `isMeant` is asked after the pod was read: see `findLease` in
 * live-objects.ts. Rejects if the gate is still there.
 */
export async function removeSchedulingGate(
  client: KubeClient,
  ref: UidRef,
  isMeant: () => Promise<boolean>,
): Promise<boolean> {
  const index = await placeOfGate(client, ref);
  if (index < 0 || !(await isMeant())) return false;
  const path = `/spec/schedulingGates/${index}`;
  const patch = [
    { op: "test", path: "/metadata/uid", value: ref.uid },
    { op: "test", path: `${path}/name`, value: SCHEDULING_GATE },
    { op: "remove", path },
  ];
  try {
    await client.patch(PODS, ref, patch, { type: "json" });
    return true;
  } catch (error) {
    // A test that fails is answered by Invalid. So are changes that somebody's policy refuses.
    const isMissed = hasCode(error, "NotFound", "Conflict", "Invalid");
    if (isMissed && (await placeOfGate(client, ref)) < 0) return false;
    throw error;
  }
}

/** The index of our gate among those of this very pod; negative: there is none. */
async function placeOfGate(client: KubeClient, { namespace, name, uid }: UidRef): Promise<number> {
  const pod = record(await find(client, PODS, { namespace, name }, (object) => object));
  if (record(pod["metadata"])["uid"] !== uid) return -1;
  const gates = list(record(pod["spec"])["schedulingGates"]);
  return gates.findIndex((gate) => record(gate)["name"] === SCHEDULING_GATE);
}
