import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { doneWork } from "../lease/once.ts";
import type { DoneWork } from "../lease/types.ts";
import { FORGET_ANNOTATION } from "../shared/names.ts";
import { type ClientContext, findLease } from "./client-context.ts";
import { konductorDown, noLease } from "./sentences.ts";

/** See {@link LeaseClient.forget}. */
export async function forget(
  context: ClientContext,
  { lease: name, key }: { lease: string; key: string },
): Promise<DoneWork | undefined> {
  const { client, namespace } = context;
  const lease = await findLease(context, name);
  if (!lease) throw noLease(name, namespace);
  const work = doneWork(lease.status, key);
  if (!work) return undefined;
  // konductor's webhook adds who asks, and which entry is meant. From then on everybody sees the klease without it.
  const patch = { metadata: { annotations: { [FORGET_ANNOTATION]: key } } };
  try {
    const patched = await client.patch(LEASES, { namespace, name }, patch, { type: "merge" }, parseLease);
    return doneWork(patched.status, key) ? undefined : work;
  } catch (error) {
    throw konductorDown(name, error);
  }
}
