/** A person who applies a LeaseRequest by kubectl, looks repeatedly whether it was granted, and deletes it when the work is done. */
import type { KubeClient } from "../../src/kube/api.ts";
import { find } from "../../src/kube/find.ts";
import { LEASE_REQUESTS, LEASES } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { formatDuration } from "../../src/lease/duration.ts";
import { deleteRequest } from "../../src/objects/lease-objects.ts";
import { hasCode } from "../../src/shared/errors.ts";
import { defined } from "../../src/shared/json.ts";
import { LEASE_NAME, NAMESPACE } from "./pod-object.ts";
import type { Surroundings } from "./work.ts";

const LOOK_EVERY_MS = 1_000;

export async function runApplied({ wish, launch, work }: Surroundings): Promise<void> {
  const { client, clock } = launch();
  const { name, priority, ttlMs, graceMs } = wish;
  const ref = { namespace: NAMESPACE, name };

  /** Tries again until the call gets through. */
  async function untilDone<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch {
        await clock.sleep(LOOK_EVERY_MS);
      }
    }
  }

  const ttl = ttlMs === undefined ? undefined : formatDuration(ttlMs);
  const spec = { lease: LEASE_NAME, holder: name, ...defined({ priority, ttl }) };
  await untilDone(() => apply(client, { metadata: ref, spec }));
  // The klease is the truth about the holder, and a request may lag behind it.
  for (let notYetMs = clock.monotonicMs(); ; await clock.sleep(LOOK_EVERY_MS)) {
    const sentMs = clock.monotonicMs();
    const request = await untilDone(() => find(client, LEASE_REQUESTS, ref, parseLeaseRequest));
    const lease = await untilDone(() => find(client, LEASES, { ...ref, name: LEASE_NAME }, parseLease));
    const hold = lease?.status.hold;
    if (!request || !["Pending", "Granted"].includes(request.status.phase)) return;
    if (hold?.ref.uid !== request.uid) notYetMs = sentMs;
    else if (request.status.phase === "Granted") {
      const endsMs = notYetMs + hold.ttlMs;
      if (clock.monotonicMs() < endsMs - graceMs) await workUntil(endsMs);
      return untilDone(() => remove(client, request));
    }
  }

  function workUntil(endsMs: number): Promise<void> {
    const lost = new AbortController();
    clock.after(endsMs - graceMs - clock.monotonicMs(), () => lost.abort());
    const expiresMs = clock.nowMs() + endsMs - clock.monotonicMs();
    return work(clock, { signal: lost.signal, graceMs, expiresMs });
  }
}

async function apply(client: KubeClient, object: object): Promise<void> {
  await client.create(LEASE_REQUESTS, object).catch((error: unknown) => {
    if (!hasCode(error, "AlreadyExists")) throw error;
  });
}

async function remove(client: KubeClient, request: Parameters<typeof deleteRequest>[1]): Promise<void> {
  await deleteRequest(client, request).catch((error: unknown) => {
    if (!hasCode(error, "NotFound", "Conflict")) throw error;
  });
}
