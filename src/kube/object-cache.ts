/**
 * A copy of the objects of one resource, fed by lists, watch events and the answers to our own writes.
 *
 * Guarantees: an object is never replaced by an older version of itself, whatever arrives late; every change is told to the
 * listeners once, after the store has it. It rests on resourceVersions that can be compared as numbers and on watch events
 * that come in their order (KEP-5504, KEP-2340). So an object that is not here, though everything up to its version was seen,
 * has been deleted: a late answer to a write cannot bring it back, and deleted objects need not be remembered.
 *
 * Limits: `apply` does not know the selector, so only apply what matches it; an object that stops matching looks deleted.
 */
import {
  createObjectStore,
  type Indexers,
  keyOf,
  type ObjectStore,
  type StoredObject,
} from "./object-store.ts";

/** What happened to an object. */
export interface Change<T> {
  type: "added" | "modified" | "deleted";
  /** As it is now; of a deleted one the last version known. */
  object: T;
  /** What a modified one was before. */
  old?: T;
  /** False if a deletion was found by absence, so that the last version of the object is not known. Else true. */
  finalStateKnown: boolean;
}

export type CacheListener<T> = (change: Change<T>) => void;

export interface ObjectCache<T extends StoredObject> {
  readonly store: ObjectStore<T>;
  /** A watch event that shows `object` as it is. */
  observe(object: T): void;
  /** A watch event by which `object`, in its last version, went away. */
  observeDeletion(object: T): void;
  /** A watch event of which only the key and the version can be read: the object of that key went away. */
  observeAbsence(key: string, version: string): void;
  /** A consistent list at `version`. `unreadable` are keys that the list has too: they are kept as they are. */
  replace(objects: readonly T[], version: string, unreadable: ReadonlySet<string>): void;
  /** The answer to a write of our own. */
  apply(object: T): void;
  /** Every change up to `version` has been seen. */
  progress(version: string): void;
}

export interface ObjectCacheOptions<T> {
  indexers?: Indexers<T> | undefined;
  notify: CacheListener<T>;
}

export function createObjectCache<T extends StoredObject>({
  indexers = {},
  notify,
}: ObjectCacheOptions<T>): ObjectCache<T> {
  const store = createObjectStore(indexers);
  let seenUpTo = -1n;

  function put(object: T): void {
    const old = store.get(keyOf(object));
    if (old && versionOf(old) >= versionOf(object)) return;
    if (old && old.uid !== object.uid) remove(old, false);
    store.set(object);
    if (old?.uid === object.uid) notify({ type: "modified", object, old, finalStateKnown: true });
    else notify({ type: "added", object, finalStateKnown: true });
  }

  function remove(object: T, finalStateKnown: boolean): void {
    store.delete(keyOf(object));
    notify({ type: "deleted", object, finalStateKnown });
  }

  /** Removes an object that is absent at `version`, unless ours is newer: the watch will tell of it. */
  function removeUpTo(key: string, version: bigint): void {
    const old = store.get(key);
    if (old && versionOf(old) <= version) remove(old, false);
  }

  function progress(version: string): void {
    const seen = BigInt(version);
    if (seen > seenUpTo) seenUpTo = seen;
  }

  return {
    store,
    progress,
    observe(object) {
      progress(object.resourceVersion);
      put(object);
    },
    observeDeletion(object) {
      progress(object.resourceVersion);
      const old = store.get(keyOf(object));
      if (old?.uid === object.uid) remove(object, true);
      else removeUpTo(keyOf(object), BigInt(object.resourceVersion));
    },
    observeAbsence(key, version) {
      progress(version);
      removeUpTo(key, BigInt(version));
    },
    replace(objects, version, unreadable) {
      const listedAt = BigInt(version);
      const listed = new Set(objects.map(keyOf));
      for (const old of store.list()) {
        const key = keyOf(old);
        if (!listed.has(key) && !unreadable.has(key)) removeUpTo(key, listedAt);
      }
      progress(version);
      for (const object of objects) put(object);
    },
    apply(object) {
      const isKnown = store.get(keyOf(object)) !== undefined;
      if (isKnown || versionOf(object) > seenUpTo) put(object);
    },
  };
}

function versionOf({ resourceVersion }: StoredObject): bigint {
  return BigInt(resourceVersion);
}
