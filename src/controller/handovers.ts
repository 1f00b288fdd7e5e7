import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";

const REMEMBERED_GRANTS = 10_000;

/** Measures handovers: see {@link ArbiterRecorder.handedOver}. Those that another arbiter began are not measured. */
export interface Handovers {
  /** `written` has just been granted to `request`. */
  granted(written: Lease, request: LeaseRequest): void;
}

export function createHandovers({
  caches,
  recorder,
  clock,
}: {
  caches: Pick<Caches, "leases">;
  recorder: Pick<ArbiterRecorder, "handedOver">;
  clock: Pick<Clock, "nowMs">;
}): Handovers {
  /** By Lease: the grant that is not answered yet. */
  const open = new LruMap<string, { token: number; freeSinceMs: number }>(REMEMBERED_GRANTS);

  function look(key: string, lease: Lease | undefined): void {
    const grant = open.get(key);
    if (!grant) return;
    const hold = lease?.status.hold;
    if (hold?.token === grant.token && !hold.confirmed) return;
    open.delete(key);
    if (hold?.token === grant.token) recorder.handedOver(clock.nowMs() - grant.freeSinceMs);
  }

  caches.leases.subscribe(({ type, object }) => look(keyOf(object), type === "deleted" ? undefined : object));

  return {
    granted(written, { spec }) {
      const { hold, history } = written.status;
      const [past] = history;
      // Who comes when nobody holds takes over from nobody.
      if (!hold || !past || spec.requestedAtMs > past.endedMs) return;
      const key = keyOf(written);
      open.set(key, { token: hold.token, freeSinceMs: past.endedMs });
      // The answer to the write may come after the news that the grant was answered.
      look(key, caches.leases.store.get(key) ?? written);
    },
  };
}
