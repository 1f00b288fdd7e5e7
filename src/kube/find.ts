import { hasCode } from "../shared/errors.ts";
import type { CallOptions, KubeClient, ObjectRef, Parse } from "./api.ts";
import type { Resource } from "./resources.ts";

/** The object as the API server has it now; undefined when there is none. */
export async function find<T>(
  client: KubeClient,
  resource: Resource,
  ref: ObjectRef,
  parse: Parse<T>,
  options?: CallOptions,
): Promise<T | undefined> {
  try {
    return await client.get(resource, ref, parse, options);
  } catch (error) {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
  }
}
