import { hasCode } from "../shared/errors.ts";
import type { KubeClient } from "./api.ts";
import { PODS } from "./resources.ts";

/** Tells this very pod to end, in its grace period. Resolves with false when it is gone already, or another one has its name. */
export async function deletePod(
  client: KubeClient,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
): Promise<boolean> {
  try {
    await client.delete(PODS, { namespace, name }, { uid, propagationPolicy: "Background" });
    return true;
  } catch (error) {
    if (hasCode(error, "NotFound", "Conflict")) return false;
    throw error;
  }
}
