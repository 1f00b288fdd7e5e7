import { KonductorError } from "../shared/errors.ts";
import { GROUP } from "../shared/names.ts";
import { LEASES, type Resource } from "./resources.ts";

/** A place in the API: without a name it is the collection, without a namespace all namespaces. */
export interface Target {
  namespace?: string | undefined;
  name?: string | undefined;
}

export function collectionPath(
  { group, version, plural, namespaced }: Resource,
  namespace: string | undefined,
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ""}/${plural}`;
}

/** The path of one object. An empty name is refused here: in a URL it would stand for the whole collection. */
export function objectPath(resource: Resource, { namespace, name }: Target, subresource?: string): string {
  if (!name) throw new KonductorError("BadRequest", `a ${resource.kind} without a name cannot be addressed`);
  requireNamespace(resource, namespace);
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${encodeURIComponent(subresource)}`;
}

/** The path that a new object is posted to. */
export function creationPath(resource: Resource, namespace: string | undefined): string {
  requireNamespace(resource, namespace);
  return collectionPath(resource, namespace);
}

/** `?a=1&b=2`, without those that are undefined. */
export function query(parameters: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? "" : `?${search}`;
}

/** "get pod a/b": what is tried, for messages. Our Lease is called klease, since `kubectl get lease` is another API. */
export function describeAction(verb: string, resource: Resource, { namespace, name }: Target): string {
  const where =
    namespace && name ? ` ${namespace}/${name}` : name ? ` ${name}` : namespace ? ` in ${namespace}` : "";
  return `${verb} ${kindName(resource)}${where}`;
}

function kindName(resource: Resource): string {
  if (resource === LEASES) return "klease";
  const builtIn = resource.group === "" || resource.group === "batch" || resource.group === GROUP;
  return builtIn ? resource.kind.toLowerCase() : `${resource.kind.toLowerCase()}.${resource.group}`;
}

function requireNamespace({ kind, namespaced }: Resource, namespace: string | undefined): void {
  if (namespaced && !namespace)
    throw new KonductorError("BadRequest", `a ${kind} cannot be addressed without its namespace`);
}
