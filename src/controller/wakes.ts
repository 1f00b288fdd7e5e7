import { keyOf } from "../lease/types.ts";
import { BY_NODE, type Caches } from "../objects/caches.ts";
import type { HoldClock } from "./hold-clock.ts";

/** Has a Lease looked at when something changes that it depends on: itself, its requests, its claimants, the node of its holder. */
export function wakeByChanges(
  caches: Caches,
  { holdClock, wake }: { holdClock: HoldClock; wake(key: string): void },
): void {
  caches.leases.subscribe(({ type, object }) => {
    const key = keyOf(object);
    if (type === "deleted") holdClock.forget(key);
    else holdClock.observe(object);
    wake(key);
  });
  caches.requests.subscribe(({ object }) => wake(`${object.namespace}/${object.spec.lease}`));
  caches.pods.subscribe(({ object, old }) => {
    for (const { namespace, lease } of [object, old ?? object]) if (lease) wake(`${namespace}/${lease}`);
  });
  caches.jobs.subscribe(({ object, old }) => {
    for (const { namespace, lease } of [object, old ?? object]) if (lease) wake(`${namespace}/${lease}`);
  });
  caches.nodes.subscribe(({ object }) => {
    for (const lease of caches.leases.store.byIndex(BY_NODE, object.name)) wake(keyOf(lease));
  });
}
