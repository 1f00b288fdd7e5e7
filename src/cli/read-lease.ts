import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import type { Lease } from "../lease/types.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import type { CommandContext } from "./cli-context.ts";

/** The klease `name`, as stored and as parsed. Throws a NotFound that says how to list kleases. */
export async function readLease(
  { cluster: { client, namespace }, server }: CommandContext,
  name: string,
): Promise<{ object: unknown; lease: Lease }> {
  const options = { onResponse: server.observe };
  const object = await client.get(LEASES, { namespace, name }, undefined, options).catch((error: unknown) => {
    if (!hasCode(error, "NotFound")) throw error;
    const message = `there is no klease "${name}" in namespace ${namespace}; koncli lease list shows what there is`;
    throw new KonductorError("NotFound", message);
  });
  return { object, lease: parseLease(object) };
}
