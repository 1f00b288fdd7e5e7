import type { KubeClient } from "../kube/api.ts";
import { PODS } from "../kube/resources.ts";
import type { HolderRef } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";

/** The shortest grace period with which the object stays until its kubelet has seen all containers end. */
const LEAST_GRACE_SECONDS = 1;

/**
 * Deletes this very pod, with its own grace period; with `resourceVersion`, only in this version. Resolves with false if it is gone already,
 * another pod has its name, or it is in another version. With a grace period of 0 the object would be gone at once while main still runs, so
 * such a pod gets {@link LEAST_GRACE_SECONDS}.
 */
export async function deletePod(
  client: KubeClient,
  {
    namespace,
    name,
    uid,
    graceSeconds,
    resourceVersion,
  }: { namespace: string; resourceVersion?: string } & Pick<HolderRef, "name" | "uid" | "graceSeconds">,
): Promise<boolean> {
  try {
    const options = {
      ...{ uid, resourceVersion },
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
