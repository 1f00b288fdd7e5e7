import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { doneWork } from "../lease/once.ts";
import type { DoneWork } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";
import { FORGET_ANNOTATION } from "../shared/names.ts";
import { type ClientContext, findLease } from "./client-context.ts";
import { isDoneAnew, konductorDown, noLease } from "./sentences.ts";

const TRIES = 10;

/** See {@link LeaseClient.forget}. */
export async function forget(
  context: ClientContext,
  { lease: name, key }: { lease: string; key: string },
): Promise<DoneWork | undefined> {
  const { client, namespace } = context;
  let meant: DoneWork | undefined;
  for (let tries = 1; ; tries++) {
    const lease = await findLease(context, name);
    if (!lease) throw noLease(name, namespace);
    const work = doneWork(lease.status, key);
    if (!work) return undefined;
    meant ??= work;
    if (work.token !== meant.token) throw isDoneAnew(name, work);
    // konductor's webhook adds who asks, and which entry is meant: that of the version which was read here, so none that was noted later.
    // From then on everybody sees the klease without it.
    const { uid, resourceVersion } = lease;
    const patch = { metadata: { uid, resourceVersion, annotations: { [FORGET_ANNOTATION]: key } } };
    try {
      const patched = await client.patch(LEASES, { namespace, name }, patch, { type: "merge" }, parseLease);
      return doneWork(patched.status, key) ? undefined : work;
    } catch (error) {
      // A renewal came between, or the work was done once more.
      if (!hasCode(error, "Conflict") || tries === TRIES) throw konductorDown(name, error);
    }
  }
}
