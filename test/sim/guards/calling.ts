import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { record, text } from "../../../src/shared/json.ts";

export type Call = (resource: Resource, ...rest: unknown[]) => Promise<unknown>;

/** `client` with these verbs replaced. */
export function calling(
  client: KubeClient,
  instead: Partial<Record<keyof KubeClient, (call: Call) => Call>>,
): KubeClient {
  return new Proxy(client, {
    get(target, verb: keyof KubeClient) {
      const call: unknown = Reflect.get(target, verb);
      const change = instead[verb];
      return change && typeof call === "function" ? change((...args) => call(...args)) : call;
    },
  });
}

export const specOf = (object: unknown) => record(record(object)["spec"]);
export const statusOf = (object: unknown) => record(record(object)["status"]);
export function refOf(object: unknown): { namespace: string | undefined; name: string } {
  const { namespace, name } = record(object);
  return { namespace: text(namespace), name: text(name) ?? "" };
}

/** The object as the call with these arguments would have parsed it. */
export function parsedBy(args: readonly unknown[], object: unknown): unknown {
  const parse = args.find((value) => typeof value === "function");
  return parse ? parse(object) : object;
}

/** Compares by group and plural, since modules that are loaded anew have their own resource objects. */
export const isSame = (a: Resource, b: Resource) => a.group === b.group && a.plural === b.plural;
