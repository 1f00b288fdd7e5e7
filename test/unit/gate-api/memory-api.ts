import type { KubeClient, ObjectRef, Parse, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record, text } from "../../../src/shared/json.ts";

type Doc = Record<string, unknown>;

/** A replica's connection to the API server, which a test may break at any time. */
export interface Link {
  client: KubeClient;
  /** Every call fails as in a network partition, and open watches are silent. */
  isCut: boolean;
  /** Watches of these resources (by plural), open or new, are accepted but silent. */
  stalled: Set<string>;
  /** Every new call and watch gets this error, and open watches go on. */
  refusal: KonductorError | undefined;
  /** Calls are answered once this resolves. */
  until: Promise<void> | undefined;
  /** The calls that were made, such as `get leases`, without watches. */
  calls: string[];
}

/** The parts of an API server that replicas need. Any number of replicas can share it. */
export interface MemoryApi {
  link(): Link;
  put(resource: Resource, doc: Doc): void;
  /** Replaces the status by the result of `change`. */
  change(resource: Resource, ref: ObjectRef, change: (status: Doc) => Doc): void;
  read<T>(resource: Resource, ref: ObjectRef, parse: Parse<T>): T;
}

export function memoryApi(clock: Clock): MemoryApi {
  const changes: { plural: string; version: number; doc: Doc }[] = [];
  const docs = new Map<string, Doc>();
  const watchers = new Set<() => void>();
  const keyOf = ({ plural }: Resource, { namespace, name }: ObjectRef) => `${plural} ${namespace}/${name}`;
  const refOf = (doc: unknown): ObjectRef => {
    const { namespace, name } = record(record(doc)["metadata"]);
    return { namespace: text(namespace), name: text(name) ?? "" };
  };

  function put(resource: Resource, doc: Doc): Doc {
    const version = changes.length + 1;
    const written = { ...doc, metadata: { ...record(doc["metadata"]), resourceVersion: `${version}` } };
    docs.set(keyOf(resource, refOf(doc)), written);
    changes.push({ plural: resource.plural, version, doc: written });
    for (const wake of watchers) wake();
    return written;
  }

  function get(resource: Resource, ref: ObjectRef): Doc {
    const found = docs.get(keyOf(resource, ref));
    if (!found) throw new KonductorError("NotFound", `there is no ${keyOf(resource, ref)}`);
    return found;
  }

  function link(): Link {
    async function answer<T>(what: string, resource: Resource, work: () => T): Promise<T> {
      own.calls.push(`${what} ${resource.plural}`);
      await own.until;
      if (own.isCut) throw new KonductorError("Unreachable", "cut off");
      if (own.refusal) throw own.refusal;
      return work();
    }

    async function* watch(
      { plural }: Resource,
      { resourceVersion = "0", timeoutSeconds = Number.POSITIVE_INFINITY }: WatchOptions,
      signal: AbortSignal,
    ): AsyncGenerator<WatchEvent> {
      if (own.isCut) throw new KonductorError("Unreachable", "cut off");
      if (own.refusal) throw own.refusal;
      const endMs = clock.monotonicMs() + timeoutSeconds * 1_000;
      let seen = Number(resourceVersion);
      let isDeaf = false;
      for (;;) {
        signal.throwIfAborted();
        isDeaf ||= own.isCut || own.stalled.has(plural);
        if (!isDeaf && clock.monotonicMs() >= endMs) return;
        const next = isDeaf
          ? undefined
          : changes.find((each) => each.plural === plural && each.version > seen);
        if (next) {
          seen = next.version;
          yield { type: "MODIFIED", object: next.doc };
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        watchers.add(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
        const cancel = clock.after(Math.max(100, endMs - clock.monotonicMs()), resolve);
        await promise;
        cancel();
        watchers.delete(resolve);
      }
    }

    const own: Link = {
      isCut: false,
      stalled: new Set(),
      refusal: undefined,
      until: undefined,
      calls: [],
      client: Object.assign(Object.create(null), {
        get: async <T>(resource: Resource, ref: ObjectRef, parse: Parse<T>) =>
          answer("get", resource, () => parse(get(resource, ref))),
        list: async (resource: Resource) =>
          answer("list", resource, () => ({
            items: [...docs].flatMap(([key, doc]) => (key.startsWith(`${resource.plural} `) ? [doc] : [])),
            resourceVersion: `${changes.length}`,
            continue: undefined,
          })),
        replaceStatus: async <T>(resource: Resource, object: Doc, parse: Parse<T>) =>
          answer("write", resource, () => {
            const now = get(resource, refOf(object));
            const [version, read] = [now, object].map((doc) => record(doc["metadata"])["resourceVersion"]);
            if (version !== read) throw new KonductorError("Conflict", `it is at ${version}, not ${read}`);
            return parse(put(resource, { ...now, status: object["status"] }));
          }),
        watch,
      }),
    };
    return own;
  }

  return {
    link,
    put: (resource, doc) => void put(resource, doc),
    change(resource, ref, to) {
      const now = get(resource, ref);
      put(resource, { ...now, status: to(record(now["status"])) });
    },
    read: (resource, ref, parse) => parse(get(resource, ref)),
  };
}
