import type { ListOptions } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { record, text, textMap } from "../../../src/shared/json.ts";
import type { Line } from "./line.ts";
import { tooOld } from "./refused.ts";
import type { Json } from "./rules.ts";
import type { Store } from "./store.ts";

export interface Scope {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

/** The selectors that konductor uses: `label`, `label=value`, `metadata.name=NAME`. */
export function inScope({ namespace, labelSelector, fieldSelector }: Scope): (object: Json) => boolean {
  const [label = "", value] = labelSelector?.split("=") ?? [];
  const [, name] = fieldSelector?.match(/^metadata\.name=(.+)$/) ?? [];
  if (fieldSelector !== undefined && name === undefined) throw new Error(`no selector ${fieldSelector} here`);
  return (object) => {
    const metadata = record(object["metadata"]);
    if (namespace !== undefined && metadata["namespace"] !== namespace) return false;
    if (name !== undefined && text(metadata["name"]) !== name) return false;
    if (labelSelector === undefined) return true;
    const found = textMap(metadata["labels"])[label];
    return value === undefined ? found !== undefined : found === value;
  };
}

/** Consistent lists, in pages that all show the same version. */
export function createLister(store: Store, { server }: Pick<Line, "server">) {
  const begun = new Map<string, { rest: Json[]; version: number }>();
  let tokens = 0;
  return {
    page(resource: Resource, options: ListOptions): Json {
      const token = options.continue;
      const found = token === undefined ? undefined : begun.get(token);
      if (token !== undefined && (!found || found.version < server.oldestVersion)) throw tooOld(resource);
      const version = found?.version ?? store.version();
      const all = found?.rest ?? store.list(resource, options.namespace).filter(inScope(options));
      const items = all.slice(0, options.limit);
      const rest = all.slice(items.length);
      if (rest.length > 0) begun.set(`page-${++tokens}`, { rest, version });
      return {
        items,
        resourceVersion: String(version),
        ...(rest.length > 0 && { continue: `page-${tokens}` }),
      };
    },
  };
}
