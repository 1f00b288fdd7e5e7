/** A forced release from the page: told before it is asked for, and of the one hold that the user has seen. */
import { createLeaseClient } from "../../client/lease-client.ts";
import type { Clock } from "../../shared/clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { GROUP } from "../../shared/names.ts";
import { isAllowed } from "../access.ts";
import { describeForced } from "../describe-forced.ts";
import { releaseSentences } from "../why/release-sentences.ts";
import { capital } from "../why/wording.ts";
import { type HoldReader, type LeaseName, readHolderFacts, readLive } from "./hold-reader.ts";
import type { ReleaseOrder, ReleasePreview, ReleaseResult } from "./wire.ts";

/** What would happen to the present hold. @throws KonductorError `NotFound`, `Conflict` if nobody holds it. */
export async function previewRelease(reader: HoldReader, named: LeaseName): Promise<ReleasePreview> {
  const lease = await readLive(reader, named);
  const { hold } = lease.status;
  if (!hold)
    throw new KonductorError("Conflict", `nobody holds klease ${lease.name}: there is nothing to release`);
  const { namespace, name } = lease;
  const [allowed, facts] = await Promise.all([
    isAllowed(
      reader.client,
      { namespace, verb: "patch", group: GROUP, resource: "leases", name },
      { signal: reader.signal },
    ),
    readHolderFacts(reader, lease),
  ]);
  const forbidden =
    "You may not do that: it needs the right to patch leases.konductor.io, as ClusterRole konductor-admin has it.";
  return {
    holder: hold.holder,
    token: hold.token,
    allowed,
    sentences: [...releaseSentences(lease, hold, facts), ...(allowed ? [] : [forbidden])],
  };
}

/**
 * Ends the hold that the order names. The signal of the reader ends only the wait for what comes of it.
 *
 * @throws KonductorError `Conflict` if the hold is over: then nothing was changed.
 */
export async function orderRelease(
  { client, signal }: HoldReader,
  { namespace, lease, token, now }: ReleaseOrder,
  clock: Clock,
): Promise<ReleaseResult> {
  const released = await createLeaseClient({ client, namespace, clock }).forceRelease({
    ...{ lease, token, now, signal },
  });
  return { message: `${capital(describeForced(lease, released))}.` };
}
