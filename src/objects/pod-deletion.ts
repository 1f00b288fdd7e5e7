import type { KubeClient } from "../kube/api.ts";
import { PODS } from "../kube/resources.ts";
import type { HolderRef } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";

/** The shortest in which the object stays until its kubelet has seen all containers end. */
const LEAST_GRACE_SECONDS = 1;

/**
 * Tells this very pod to end, in its grace period. Resolves with false when it is gone already, or another one has its name. The object of a
 * pod whose grace period is 0 would be gone at once, beside a main that runs: it gets {@link LEAST_GRACE_SECONDS}.
 */
export async function deletePod(
  client: KubeClient,
  {
    namespace,
    name,
    uid,
    graceSeconds,
  }: { namespace: string } & Pick<HolderRef, "name" | "uid" | "graceSeconds">,
): Promise<boolean> {
  try {
    const options = {
      uid,
      propagationPolicy: "Background",
      ...(graceSeconds === 0 && { gracePeriodSeconds: LEAST_GRACE_SECONDS }),
    } as const;
    await client.delete(PODS, { namespace, name }, options);
    return true;
  } catch (error) {
    if (hasCode(error, "NotFound", "Conflict")) return false;
    throw error;
  }
}
