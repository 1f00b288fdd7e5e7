/**
 * Identifies the keeper that says that its pod ends, also when the pod is gone already. A pod that is deleted by force, or without a grace
 * period, is gone before its kubelet has begun to stop it, and from then on a review refuses its token. The token's signature still proves
 * whose it is; with the hold's uid and fencing token that is enough to end this hold, and for nothing else.
 */

import type { Stopping } from "../../../lease/hold.ts";
import type { PodView } from "../../../lease/pod.ts";
import { findPod } from "../../../objects/live-objects.ts";
import { hasCode, type KonductorError } from "../../../shared/errors.ts";
import { defined } from "../../../shared/json.ts";
import type { PodIdentity } from "../../identity/identity.ts";
import { isForged } from "../../identity/verify-signature.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiOptions } from "../options.ts";
import { requireLease } from "../wire/caller.ts";

/** A pod whose keeper was asked to stop. */
export interface EndingPod {
  namespace: string;
  uid: string;
  /** Why a review refuses its token; it is then known by its signature alone. */
  refusal?: KonductorError;
  /** As a live GET has found it; undefined: it is gone. */
  pod?: PodView;
  /** Set where its kubelet is stopping all of it: a keeper may also be stopped alone, as when its image is changed. */
  stopping?: Stopping;
}

/** The sender, known by a review or, where that refuses, by the token's signature alone. */
export interface EndingSender {
  identity: PodIdentity;
  refusal?: KonductorError;
}

/** Throws what a review throws, where the signature does not help; or NotReady, where it could not be verified. */
export async function identifyEnding(
  { authenticate, verifySignature }: Pick<GateApiOptions, "authenticate" | "verifySignature">,
  token: string,
): Promise<EndingSender> {
  try {
    return { identity: await authenticate(token) };
  } catch (refusal) {
    if (!hasCode(refusal, "Unauthenticated") || isForged(refusal)) throw refusal;
    try {
      return { identity: await verifySignature(token), refusal };
    } catch (error) {
      throw hasCode(error, "Unauthenticated") ? refusal : error;
    }
  }
}

type Options = Pick<GateApiOptions, "client" | "caches" | "clock">;

/** Looks for the sender's pod. Refuses with Unauthenticated or Forbidden a pod that is there without a review or the label of `lease`. */
export async function findEnding(
  options: Options,
  { identity, refusal }: EndingSender,
  lease: string,
): Promise<EndingPod> {
  const pod = await findPod(options.client, identity);
  const { namespace, uid } = identity;
  const known = { namespace, uid, ...defined({ pod, refusal }) };
  if (pod) {
    requireReview(known);
    requireLease(pod, lease);
    if (pod.deletionMs === undefined) return known;
  }
  const stopping = { sinceMs: options.clock.nowMs(), graceSeconds: longestGrace(options, identity, pod) };
  return { ...known, stopping };
}

/** Refuses with Unauthenticated a sender that is known by its signature alone. */
export function requireReview({ refusal }: Pick<EndingPod, "refusal">): void {
  if (refusal) throw new Refusal("Unauthenticated", refusal.message, { cause: refusal });
}

/** The longest grace period known: whoever deletes a pod may give it more time than its spec does. */
function longestGrace({ caches }: Options, { namespace, name, uid }: PodIdentity, live?: PodView): number {
  const cached = caches.pods.store.get(`${namespace}/${name}`);
  const known = [live, cached?.uid === uid ? cached : undefined].filter((pod) => pod !== undefined);
  return Math.max(
    0,
    ...known.flatMap(({ graceSeconds, deletionGraceSeconds = 0 }) => [graceSeconds, deletionGraceSeconds]),
  );
}
