import type { Cache } from "../../../src/server/gate-api/options.ts";

interface Named {
  namespace: string;
  name: string;
}

export interface MemoryCache<T> extends Cache<T> {
  lastEventMonotonicMs: number | undefined;
}

/**
 * A cache that a test fills, and that notifies its listeners. `indexOf` returns the key of an object in every index. A test sets when the API
 * server was last heard.
 */
export function memoryCache<T extends Named>(indexOf: (object: T) => string = () => ""): MemoryCache<T> {
  const objects = new Map<string, T>();
  const listeners = new Set<Parameters<Cache<T>["subscribe"]>[0]>();
  const keyOf = ({ namespace, name }: Named) => `${namespace}/${name}`;
  return {
    lastEventMonotonicMs: undefined,
    store: {
      get: (key) => objects.get(key),
      byIndex: (_index, value) => [...objects.values()].filter((object) => indexOf(object) === value),
    },
    apply(object) {
      const old = objects.get(keyOf(object));
      objects.set(keyOf(object), object);
      const event = old
        ? ({ type: "modified", object, old, finalStateKnown: true } as const)
        : ({ type: "added", object, finalStateKnown: true } as const);
      for (const tell of listeners) tell(event);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
