import { createObjectCache } from "../../../src/kube/object-cache.ts";
import type { Indexers, StoredObject } from "../../../src/kube/object-store.ts";
import type { CacheListener, Reflector } from "../../../src/kube/reflector.ts";

export interface FedReflector<T> extends Reflector<T> {
  /** The watch tells that this version was deleted. */
  remove(object: T): void;
}

/** A cache without a server: a test fills it, and it notifies its subscribers. */
export function fedReflector<T extends StoredObject>(indexers: Indexers<T> = {}): FedReflector<T> {
  const listeners = new Set<CacheListener<T>>();
  const { store, apply, observeDeletion } = createObjectCache<T>({
    indexers,
    notify: (change) => {
      for (const tell of listeners) tell(change);
    },
  });
  return {
    store,
    apply,
    remove: observeDeletion,
    synced: Promise.resolve(),
    lastEventMonotonicMs: undefined,
    start: () => undefined,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    relist: () => Promise.resolve(),
  };
}
