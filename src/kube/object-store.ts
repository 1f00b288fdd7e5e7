/** What a parsed object must keep of its metadata. */
export interface StoredObject {
  namespace?: string | undefined;
  name: string;
  uid: string;
  resourceVersion: string;
}

/** For each index, by its name: the values under which it files an object. */
export type Indexers<T> = Readonly<
  Record<string, (object: T) => string | undefined | readonly (string | undefined)[]>
>;

/** Objects by their key and by indexes, to be read. What it returns is shared: never change it. */
export interface ObjectStore<T> {
  readonly size: number;
  /** By `namespace/name`, or `name` where there are no namespaces. */
  get(key: string): T | undefined;
  list(): T[];
  /** The objects for which the indexer `index` returns `value`. Throws where there is no such indexer. */
  byIndex(index: string, value: string): T[];
}

export interface WritableStore<T> extends ObjectStore<T> {
  set(object: T): void;
  delete(key: string): void;
}

export function keyOf({ namespace, name }: Pick<StoredObject, "namespace" | "name">): string {
  return namespace ? `${namespace}/${name}` : name;
}

export function createObjectStore<T extends StoredObject>(indexers: Indexers<T>): WritableStore<T> {
  const objects = new Map<string, T>();
  const indexes = Object.entries(indexers).map(([name, indexer]) => ({
    name,
    indexer,
    keys: new Map<string, Set<string>>(),
  }));

  function unindex(key: string, object: T): void {
    for (const { indexer, keys } of indexes) {
      for (const value of valuesOf(indexer(object))) {
        const bucket = keys.get(value);
        if (bucket?.delete(key) && bucket.size === 0) keys.delete(value);
      }
    }
  }

  function index(key: string, object: T): void {
    for (const { indexer, keys } of indexes) {
      for (const value of valuesOf(indexer(object))) keys.set(value, (keys.get(value) ?? new Set()).add(key));
    }
  }

  return {
    get size() {
      return objects.size;
    },
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    byIndex(name, value) {
      const found = indexes.find((candidate) => candidate.name === name);
      if (!found) throw new Error(`no index is called ${name}`);
      return [...(found.keys.get(value) ?? [])].flatMap((key) => objects.get(key) ?? []);
    },
    set(object) {
      const key = keyOf(object);
      const old = objects.get(key);
      if (old) unindex(key, old);
      objects.set(key, object);
      index(key, object);
    },
    delete(key) {
      const old = objects.get(key);
      if (!old) return;
      objects.delete(key);
      unindex(key, old);
    },
  };
}

function valuesOf(indexed: ReturnType<Indexers<never>[string]>): string[] {
  return [indexed].flat().filter((value) => value !== undefined);
}
