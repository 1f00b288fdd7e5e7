/**
 * The guards behind the rules of check.ts. Each can be switched off from outside of the real code: by a changed client, clock or kubelet, or
 * by a module that is replaced before it is loaded. A rule has to break without its guard, or the rule would prove nothing.
 */
import { BEHIND } from "./behind.ts";
import { CLIENTS } from "./clients.ts";
import { ERRANDS } from "./errands.ts";
import { EVIDENCE } from "./evidence.ts";
import type { Guard } from "./guard.ts";
import { HALF_BROKEN } from "./half-broken.ts";
import { KLEASES } from "./kleases.ts";
import { ONCE } from "./once.ts";
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
  ...ONCE,
};
