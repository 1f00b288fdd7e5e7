/** The holds under which koncli itself runs when a command of `koncli lease exec` has started it. The environment passes them on. */
import { keyOf, type Lease } from "../lease/types.ts";
import { KonductorError } from "../shared/errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** `namespace/name=token`, separated by spaces. */
const VARIABLE = "KONDUCTOR_HOLDS";

/** What a command that runs under this hold, and the holds around it, finds in its environment. */
export function holdsAround(
  env: Env,
  hold: { namespace: string; lease: string; token: number },
): Record<string, string> {
  const own = `${keyOf({ namespace: hold.namespace, name: hold.lease })}=${hold.token}`;
  return { [VARIABLE]: [env[VARIABLE], own].filter((each) => each).join(" ") };
}

/** @throws KonductorError `Held` where `lease` is held by an outer `koncli lease exec`, which waits for this very process to end. */
export function refuseHoldAround(lease: Lease, env: Env): void {
  const token = lease.status.hold?.token;
  const own = `${keyOf(lease)}=${token}`;
  if (token === undefined || !env[VARIABLE]?.split(" ").includes(own)) return;
  throw new KonductorError(
    "Held",
    `klease ${lease.name} is held by the "koncli lease exec" around this command (token ${token}), which waits for this command to end: ` +
      "it runs under that hold already, so call it without koncli",
  );
}
