import { PODS } from "../../src/kube/resources.ts";
import type { Cluster } from "./api/cluster.ts";
import { Refused } from "./api/refused.ts";
import type { Json } from "./api/rules.ts";
import { metadataOf, NAMESPACE } from "./pod-object.ts";
import type { Random } from "./random.ts";
import type { Node } from "./true-pod.ts";

const KUBELET = "system:node";

/**
 * Writes a pod's status as a kubelet does: a while after a change, in its state at that time, and not while its node is cut off. Removes the
 * object of a pod that has ended and is being deleted.
 */
export function statusWriter(
  {
    cluster: { scheduler, store },
    random,
    node,
    name,
    uid,
  }: { cluster: Cluster; random: Random; node: Node; name: string; uid: string },
  look: () => { status: Json; isOver: boolean },
): () => void {
  const ref = { namespace: NAMESPACE, name };
  let isPlanned = false;

  function write(): void {
    isPlanned = false;
    if (node.state !== "up" || metadataOf(store.find(PODS, ref))["uid"] !== uid) return;
    const { status, isOver } = look();
    const body = { metadata: { uid }, status };
    const written = store.patch(KUBELET, PODS, ref, { type: "merge", body }, "status");
    if (!isOver || metadataOf(written)["deletionTimestamp"] === undefined) return;
    try {
      store.remove(KUBELET, PODS, ref, { uid, gracePeriodSeconds: 0 });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  return () => {
    if (isPlanned || node.state === "dead") return;
    isPlanned = true;
    scheduler.after(random.between(50, 800), write);
  };
}
