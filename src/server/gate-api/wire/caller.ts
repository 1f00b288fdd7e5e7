import type { PodView } from "../../../lease/pod.ts";
import type { Settings } from "../../../lease/settings.ts";
import { findPod, type UidRef } from "../../../objects/live-objects.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, LEASE_LABEL } from "../../../shared/names.ts";
import type { PodIdentity } from "../../identity/identity.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiOptions } from "../options.ts";

/** The live pod; refuses with NotFound when there is none of this uid. */
export async function requireLivePod(
  { client }: Pick<GateApiOptions, "client">,
  ref: UidRef,
): Promise<PodView> {
  const pod = await findPod(client, ref);
  if (pod) return pod;
  throw new Refusal("NotFound", `pod ${ref.namespace}/${ref.name} (uid ${ref.uid}) is gone`);
}

/**
 * The pod that calls, which must carry the label of `lease`. Refuses with NotFound or Forbidden, after a live look: a gate takes a refusal
 * as final, and the cache may show an old label.
 */
export async function findCaller(
  options: Pick<GateApiOptions, "client" | "caches">,
  identity: PodIdentity,
  lease: string,
): Promise<PodView> {
  const { namespace, name, uid } = identity;
  const cached = options.caches.pods.store.get(`${namespace}/${name}`);
  const isRight = cached?.uid === uid && cached.lease === lease;
  const pod = isRight ? cached : await requireLivePod(options, identity);
  requireLease(pod, lease);
  return pod;
}

/** Refuses with Forbidden unless `pod` carries the label of `lease`. */
export function requireLease(pod: PodView, lease: string): void {
  if (pod.lease === lease) return;
  if (pod.lease === undefined)
    throw new Refusal(
      "Forbidden",
      `pod ${pod.namespace}/${pod.name} has a gate that waits for klease ${lease}, and no label ${LEASE_LABEL}: it may be a copy, as ` +
        '"kubectl debug --copy-to" makes it (--keep-labels keeps the label). Create it with the label, or without the init containers ' +
        `${GATE_CONTAINER} and ${KEEPER_CONTAINER}`,
    );
  throw new Refusal(
    "Forbidden",
    `klease ${pod.namespace}/${lease} is not that of pod ${pod.name}, whose label ${LEASE_LABEL} says ${JSON.stringify(pod.lease ?? "")}`,
  );
}

/**
 * What the pod's annotations ask for. Refuses with BadRequest what admission would not have accepted, after a live look: a gate takes that
 * as final, too.
 */
export async function settingsOf(options: Pick<GateApiOptions, "client">, pod: PodView): Promise<Settings> {
  const result = pod.settings.ok ? pod.settings : (await requireLivePod(options, pod)).settings;
  if (!result.ok) throw new Refusal("BadRequest", result.problem);
  return result.settings;
}
