import { PODS } from "../../kube/resources.ts";
import { type PodView, parsePod } from "../../lease/pod.ts";
import { readSettings, type Settings } from "../../lease/settings.ts";
import { hasCode } from "../../shared/errors.ts";
import { LEASE_LABEL } from "../../shared/names.ts";
import type { PodIdentity } from "../identity/identity.ts";
import { Refusal } from "../refusal.ts";
import type { GateApiOptions } from "./options.ts";

/** The pod as the API server has it now; undefined when there is none of this uid. */
export async function livePod(
  { client }: Pick<GateApiOptions, "client">,
  { namespace, name, uid }: PodIdentity,
): Promise<PodView | undefined> {
  try {
    const pod = await client.get(PODS, { namespace, name }, parsePod);
    return pod.uid === uid ? pod : undefined;
  } catch (error) {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
  }
}

/** The pod that calls, which must carry the label of `lease`. Refuses with NotFound or Forbidden. */
export async function findCaller(
  options: Pick<GateApiOptions, "client" | "caches">,
  identity: PodIdentity,
  lease: string,
): Promise<PodView> {
  const { namespace, name, uid } = identity;
  const cached = options.caches.pods.store.get(`${namespace}/${name}`);
  const pod = cached?.uid === uid ? cached : await livePod(options, identity);
  if (!pod) throw new Refusal("NotFound", `pod ${namespace}/${name} (uid ${uid}) is gone`);
  requireLease(pod, lease);
  return pod;
}

/** Refuses with Forbidden unless `pod` carries the label of `lease`. */
export function requireLease(pod: PodView, lease: string): void {
  if (pod.lease === lease) return;
  throw new Refusal(
    "Forbidden",
    `klease ${pod.namespace}/${lease} is not that of pod ${pod.name}, whose label ${LEASE_LABEL} says ${JSON.stringify(pod.lease ?? "")}`,
  );
}

/** What the pod's annotations ask for. Refuses with BadRequest what admission would not have let pass. */
export function settingsOf({ lease = "", annotations }: PodView): Settings {
  const result = readSettings({ labels: { [LEASE_LABEL]: lease }, annotations });
  if (!result.ok) throw new Refusal("BadRequest", result.problem);
  return result.settings;
}
