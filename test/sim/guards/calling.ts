import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { record, text } from "../../../src/shared/json.ts";

export type Call = (resource: Resource, ...rest: unknown[]) => Promise<unknown>;

/** `client`, but calls of these verbs go as `instead` has them. */
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

/** As the call with these arguments would have parsed it. */
export function parsedBy(args: readonly unknown[], object: unknown): unknown {
  const parse = args.find((value) => typeof value === "function");
  return parse ? parse(object) : object;
}

/** Modules that are loaded anew, since others are replaced, have resources of their own. */
export const isSame = (a: Resource, b: Resource) => a.group === b.group && a.plural === b.plural;
