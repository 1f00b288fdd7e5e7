/**
 * Copies an owner's label and annotations into its pod template, and withdraws them again. Copies are recorded with their value: what the
 * user wrote in the template is never taken away.
 */
import { KonductorError } from "../../shared/errors.ts";
import { ANNOTATION, LEASE_LABEL, PROPAGATED_ANNOTATION } from "../../shared/names.ts";
import { isRecord, type Metadata, type PodTemplate } from "./objects.ts";

/** The label and annotations of ours that stand on one object. */
interface Marks {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

const MAPS = ["labels", "annotations"] as const;
const COPIED: Readonly<Record<keyof Marks, readonly string[]>> = {
  labels: [LEASE_LABEL],
  annotations: Object.values(ANNOTATION),
};
const isCopied =
  (map: keyof Marks) =>
  ([name]: [string, unknown]) =>
    COPIED[map].includes(name);

/** The label and annotations of `metadata` that are copied down; none without the label. */
export function marksOf(metadata: Metadata | undefined): Marks {
  const lease = metadata?.labels?.[LEASE_LABEL];
  if (lease === undefined) return { labels: {}, annotations: {} };
  const annotations = Object.entries(metadata?.annotations ?? {}).filter(isCopied("annotations"));
  return { labels: { [LEASE_LABEL]: lease }, annotations: Object.fromEntries(annotations) };
}

/**
 * `template` with `marks`, and which of them it did not have before.
 * @throws KonductorError `Invalid` where the template says something else; `path` is the template's, with a dot at its end.
 */
export function propagate(
  marks: Marks,
  template: PodTemplate,
  path: string,
): { template: PodTemplate; added: Marks } {
  const added: Marks = { labels: {}, annotations: {} };
  for (const map of MAPS) {
    for (const [name, value] of Object.entries(marks[map])) {
      const present = template.metadata?.[map]?.[name];
      if (present === undefined) added[map][name] = value;
      else if (present !== value) {
        throw new KonductorError(
          "Invalid",
          `${path}metadata.${map}[${name}]: Invalid value: ${JSON.stringify(present)}: ` +
            `metadata.${map}[${name}] is ${JSON.stringify(value)}, and only the same value is allowed in both places`,
        );
      }
    }
  }
  return { template: { ...template, metadata: withMarks(template.metadata, added) }, added };
}

/**
 * `template` without what `record`, the value of our annotation, says that we put there.
 * What somebody changed since, or what `isWrittenByUser` claims, stays.
 */
export function withdraw(
  template: PodTemplate,
  record: string | undefined,
  isWrittenByUser: (map: keyof Marks, name: string) => boolean,
): PodTemplate {
  const put = parseRecord(record);
  const kept: Metadata = { ...template.metadata };
  for (const map of MAPS) {
    const entries = Object.entries(kept[map] ?? {});
    const stays = ([name, value]: [string, string]) => put[map][name] !== value || isWrittenByUser(map, name);
    if (kept[map]) kept[map] = Object.fromEntries(entries.filter(stays));
  }
  return { ...template, ...(template.metadata && { metadata: kept }) };
}

/** `metadata` with `added` on record, or with no record where nothing was added. */
export function withRecord(metadata: Metadata | undefined, added: Marks): Metadata | undefined {
  const { [PROPAGATED_ANNOTATION]: record, ...annotations } = metadata?.annotations ?? {};
  if (isEmpty(added)) return record === undefined ? metadata : { ...metadata, annotations };
  return { ...metadata, annotations: { ...annotations, [PROPAGATED_ANNOTATION]: JSON.stringify(added) } };
}

function withMarks(metadata: Metadata | undefined, marks: Marks): Metadata {
  const result: Metadata = { ...metadata };
  for (const map of MAPS) {
    if (Object.keys(marks[map]).length > 0) result[map] = { ...result[map], ...marks[map] };
  }
  return result;
}

function isEmpty({ labels, annotations }: Marks): boolean {
  return Object.keys(labels).length + Object.keys(annotations).length === 0;
}

/** A record that somebody damaged withdraws nothing. Whatever else somebody put on record was never ours. */
function parseRecord(text: string | undefined): Record<keyof Marks, Record<string, unknown>> {
  const none = { labels: {}, annotations: {} };
  const copied = (map: keyof Marks, put: unknown) =>
    isRecord(put) ? Object.fromEntries(Object.entries(put).filter(isCopied(map))) : {};
  if (text === undefined) return none;
  try {
    const record: unknown = JSON.parse(text);
    if (!isRecord(record)) return none;
    const { labels, annotations } = record;
    return { labels: copied("labels", labels), annotations: copied("annotations", annotations) };
  } catch {
    return none;
  }
}
