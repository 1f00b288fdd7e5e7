import type { KubeClient } from "../../kube/api.ts";
import { find } from "../../kube/find.ts";
import { listAll } from "../../kube/list-pages.ts";
import { PODS, SERVICES } from "../../kube/resources.ts";
import { record, textMap } from "../../shared/json.ts";
import { SERVICE_NAME } from "../../shared/names.ts";

/** Most events are the arbiter's. */
export const ARBITER_EVENTS_PER_SECOND = 7;
/** Of all other replicas together. */
const OTHERS_PER_SECOND = 3;
/** As many replicas as a rollout of the shipped Deployment has beside the arbiter, counted or not. */
const FEWEST_OTHERS = 3;

/** A replica's share of the 10 events a second that all replicas together may write. */
export interface EventShare {
  perSecond(): number;
  /** Counts the replicas: the running pods that our Service selects. */
  refresh(): Promise<void>;
}

export function createEventShare({
  client,
  namespace,
  isArbiter,
}: {
  client: KubeClient;
  namespace: string;
  isArbiter(): boolean;
}): EventShare {
  let others = FEWEST_OTHERS;
  return {
    perSecond: () => (isArbiter() ? ARBITER_EVENTS_PER_SECOND : OTHERS_PER_SECOND / others),
    async refresh() {
      const service = await find(client, SERVICES, { namespace, name: SERVICE_NAME }, record);
      const selector = Object.entries(textMap(record(service?.["spec"])["selector"]));
      if (selector.length === 0) return;
      const labelSelector = selector.map(([label, value]) => `${label}=${value}`).join(",");
      const running = { namespace, labelSelector, fieldSelector: "status.phase=Running" };
      const replicas = await listAll(client, PODS, running, record);
      others = Math.max(FEWEST_OTHERS, replicas.length - 1);
    },
  };
}
