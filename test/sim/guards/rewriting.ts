/** konductor's client with changed reads or writes. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { GATE_CONTAINER, passedToken } from "../../../src/shared/names.ts";
import type { Json } from "../api/rules.ts";

export type Verb = keyof KubeClient;
/** The verbs that fill caches. */
export const OF_CACHES: readonly Verb[] = ["list", "watch"];
const OF_OBJECTS: readonly Verb[] = ["get", "list", "create", "replace", "replaceStatus", "patch"];

/** How konductor sees an object that a call of this verb has returned. */
export type See = (object: Json, of: { resource: Resource; verb: Verb }) => object;

/** Lets konductor see each klease as `rewrite` returns it. */
export const seenAs = (client: KubeClient, rewrite: (lease: Json) => object) =>
  showing(client, (object, { resource }) => (resource === LEASES ? rewrite(object) : object));

/** Lets konductor see every object as `see` returns it. */
export function showing(client: KubeClient, see: See): KubeClient {
  return new Proxy(client, {
    get(target, verb: Verb) {
      const call: unknown = Reflect.get(target, verb);
      if (verb === "watch")
        return async function* (...[resource, options, signal]: Parameters<KubeClient["watch"]>) {
          for await (const event of target.watch(resource, options, signal)) {
            const isSeen = event.type !== "BOOKMARK";
            yield isSeen ? { ...event, object: see(record(event.object), { resource, verb }) } : event;
          }
        };
      if (typeof call !== "function" || !OF_OBJECTS.includes(verb)) return call;
      return async (resource: Resource, ...rest: unknown[]) => {
        const seen = (object: unknown) => see(record(object), { resource, verb });
        const isParsed = rest.some((value) => typeof value === "function");
        const parsing = (value: unknown) =>
          typeof value === "function" ? (object: unknown) => value(seen(object)) : value;
        const answer: unknown = await call(resource, ...rest.map(parsing));
        if (isParsed) return answer;
        return verb === "list"
          ? { ...record(answer), items: list(record(answer)["items"]).map(seen) }
          : seen(answer);
      };
    },
  });
}

/** Changes writes of the status of `of`, or drops them if `change` returns undefined. */
export function statusWrites(
  client: KubeClient,
  of: Resource,
  change: (object: Json) => object | undefined,
): KubeClient {
  return new Proxy(client, {
    get(target, verb: Verb) {
      const call: unknown = Reflect.get(target, verb);
      if (verb !== "replaceStatus" || typeof call !== "function") return call;
      return (resource: Resource, object: object, ...rest: unknown[]) => {
        const changed = resource === of ? change(record(object)) : object;
        if (changed) return call(resource, changed, ...rest);
        const { namespace, name } = record(record(object)["metadata"]);
        const ref = { namespace: text(namespace), name: text(name) ?? "" };
        const [parse] = rest;
        return target.get(resource, ref, (found) => (typeof parse === "function" ? parse(found) : found));
      };
    },
  });
}

/** The object with changes to its status. */
export const withStatus = (object: Json, change: Json): Json => ({
  ...object,
  status: { ...record(object["status"]), ...change },
});

/** The pod with the state of its finished gate changed, if its gate has let it through. */
export function withGateEnd(pod: Json, change: (ended: Json, message: string | undefined) => Json): Json {
  const changed = (entry: unknown) => {
    const container = record(entry);
    const ended = record(record(container["state"])["terminated"]);
    const message = text(ended["message"]);
    if (container["name"] !== GATE_CONTAINER || passedToken(message) === undefined) return container;
    return { ...container, state: { terminated: change(ended, message) } };
  };
  return withStatus(pod, {
    initContainerStatuses: list(record(pod["status"])["initContainerStatuses"]).map(changed),
  });
}

/** Lets a klease that was never granted look as if it had been, so that nobody under an earlier klease of its name is considered. */
export const asGrantedBefore = (client: KubeClient): KubeClient =>
  seenAs(client, (lease) => ({
    ...lease,
    status: { phase: "Available", fencingToken: 1, ...record(lease["status"]) },
  }));
