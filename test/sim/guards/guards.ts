/**
 * What keeps the rules of check.ts, each switched off from outside of the real code: by what its client tells it or does for it, by its
 * clock, by the kubelet, or by a module that is replaced before it is loaded. Without it a rule has to break, or the rule would be worth nothing.
 */
import { BEHIND } from "./behind.ts";
import { CLIENTS } from "./clients.ts";
import { ERRANDS } from "./errands.ts";
import { EVIDENCE } from "./evidence.ts";
import type { Guard } from "./guard.ts";
import { HALF_BROKEN } from "./half-broken.ts";
import { KLEASES } from "./kleases.ts";
import { PODS } from "./pods.ts";
import { REPLICAS } from "./replicas.ts";
import { REQUESTS } from "./requests.ts";

export const GUARDS: Readonly<Record<string, Guard>> = {
  ...KLEASES,
  ...PODS,
  ...EVIDENCE,
  ...CLIENTS,
  ...REPLICAS,
  ...HALF_BROKEN,
  ...REQUESTS,
  ...ERRANDS,
  ...BEHIND,
};
