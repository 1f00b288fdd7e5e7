/** The difference between two versions of an object as a JSON patch (RFC 6902). */
import jsonPatch, { type Operation } from "fast-json-patch";
import { isOwnContainer } from "../../lease/own-container.ts";
import type { PodTemplate } from "./objects.ts";

export type Patch = Operation[];

export function diff(before: object, after: object): Patch {
  return jsonPatch.compare(before, after);
}

/**
 * {@link diff} for pods. A comparison by index would rewrite every init container behind an inserted one; this one removes and adds our own
 * containers whole, so that no value of the user's is rewritten.
 */
export function diffPod(before: PodTemplate, after: PodTemplate): Patch {
  const old = before.spec.initContainers ?? [];
  const wanted = after.spec.initContainers ?? [];
  if (old.length === 0 || isSameOrder(old, wanted)) return diff(before, after);
  const removals = old.flatMap(
    (container, index): Patch =>
      isOwnContainer(container) ? [{ op: "remove", path: `/spec/initContainers/${index}` }] : [],
  );
  const additions = wanted.flatMap(
    (container, index): Patch =>
      isOwnContainer(container)
        ? [{ op: "add", path: `/spec/initContainers/${index}`, value: container }]
        : [],
  );
  const users = old.filter((container) => !isOwnContainer(container)).values();
  const placed = wanted.map((container) => (isOwnContainer(container) ? container : users.next().value));
  const rest = diff({ ...before, spec: { ...before.spec, initContainers: placed } }, after);
  return [...removals.reverse(), ...additions, ...rest];
}

function isSameOrder(old: readonly { name: string }[], wanted: readonly { name: string }[]): boolean {
  return old.length === wanted.length && old.every(({ name }, index) => wanted[index]?.name === name);
}
