/**
 * konductor's marks on the objects of others. A manifest may bring them along, as one that was exported does, and anybody may annotate: what
 * is stored is what konductor wrote, and on a new object nothing is.
 *
 * We are called several times for one request, so a mark on the object may be our own, of a call before. It is told from the client's by the
 * API server's field managers: what a webhook adds has none (see authorship.ts), and of what is taken away here none is left.
 */
import { OWN_MARKS } from "../../shared/names.ts";
import type { Rewritten } from "./admission-context.ts";
import { isManaged, unmanaged } from "./authorship.ts";
import type { Metadata } from "./objects.ts";

interface Marked {
  metadata?: Metadata;
}

/**
 * `object` with the marks that `old`, what is stored, has; `written` are those that our webhook itself writes on such objects, `removable`
 * those of which it decides itself what it means that they were left out. What was sent in their place is said, but not that some were left
 * out: a manifest need not know of them.
 */
export function withStoredMarks<T extends Marked>(
  object: T,
  old: Marked | undefined,
  { written, removable = [] }: { written: readonly string[]; removable?: readonly string[] },
): Rewritten<T> {
  let metadata = object.metadata ?? {};
  const warnings: string[] = [];
  for (const name of OWN_MARKS) {
    const [sent, stored] = [markOf(metadata, name), markOf(old?.metadata, name)];
    const isOurs = written.includes(name) && !isManaged(metadata, pathOf(name));
    if (sent === stored || (sent === undefined ? removable.includes(name) : isOurs)) continue;
    metadata = withMark(metadata, name, stored);
    if (sent !== undefined) {
      warnings.push(
        `metadata.annotations[${name}] was ignored: konductor alone writes it; leave it out of the manifest`,
      );
    }
  }
  return { object: object.metadata ? { ...object, metadata } : object, warnings };
}

/** `annotations` of a pod, or of a template, on which no mark means anything. */
export function withoutMarks(annotations: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !OWN_MARKS.includes(name)));
}

function markOf(metadata: Metadata | undefined, name: string): string | undefined {
  return metadata?.annotations?.[name];
}

/** Nobody has written it any more, so that what we make of it in this very request is known as ours. */
function withMark(metadata: Metadata, name: string, value: string | undefined): Metadata {
  const { [name]: _, ...others } = metadata.annotations ?? {};
  const annotations = value === undefined ? others : { ...others, [name]: value };
  return { ...unmanaged(metadata, pathOf(name)), annotations };
}

const pathOf = (name: string) => ["metadata", "annotations", name];
