/** In what a live object differs from the one that konductor ships. Pure. */
import { isDeepStrictEqual } from "node:util";
import { record, text } from "../../shared/json.ts";

/** What the API server puts where a manifest has nothing. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  matchPolicy: "Equivalent",
  reinvocationPolicy: "Never",
};
/** konductor itself writes it. */
const IGNORED = ["caBundle"];

/** The paths of fields that differ, such as "webhooks[pods.konductor.io].failurePolicy"; none: the objects agree. */
export function differences(shipped: unknown, live: unknown, path = ""): string[] {
  if (isEmpty(shipped) && isEmpty(live)) return [];
  if (Array.isArray(shipped) && Array.isArray(live)) {
    if (shipped.length !== live.length) return [path];
    return shipped.flatMap((each, index) =>
      differences(each, live[index], `${path}[${text(record(each)["name"]) ?? index}]`),
    );
  }
  if (isObject(shipped) && isObject(live)) {
    const [wanted, found] = [record(shipped), record(live)];
    return [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
      .filter((key) => !IGNORED.includes(key))
      .flatMap((key) =>
        differences(
          wanted[key] ?? DEFAULTS[key],
          found[key] ?? DEFAULTS[key],
          path === "" ? key : `${path}.${key}`,
        ),
      );
  }
  return isDeepStrictEqual(shipped, live) ? [] : [path];
}

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

/** `{}`, `[]` and `""` mean the same to the API server as nothing. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(record(value)).length === 0;
  return value === undefined || value === null || value === "";
}
