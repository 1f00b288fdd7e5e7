/**
 * konductor's marks on other people's objects. A manifest may carry them, as an exported one does, and anybody may annotate. So only the
 * stored marks count, which konductor wrote; a new object has none.
 *
 * Our webhook is called several times for one request, so a mark may be our own, of an earlier call. The API server's field managers tell
 * it from the client's: a webhook's changes have none (see authorship.ts), and those of a mark that is removed here are removed as well.
 */
import { OWN_MARKS } from "../../shared/names.ts";
import type { Rewritten } from "./admission-context.ts";
import { isManaged, unmanaged } from "./authorship.ts";
import type { Metadata } from "./objects.ts";

interface Marked {
  metadata?: Metadata;
}

/**
 * `object` with the marks of `old`, its stored version. `written`: marks that our webhook itself writes on such objects. `removable`: marks
 * whose absence the caller interprets itself. A warning names what was sent in vain, but not what was left out: a manifest need not know of
 * the marks.
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

/** `annotations` of a pod or a template, without our marks, which mean nothing there. */
export function withoutMarks(annotations: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !OWN_MARKS.includes(name)));
}

function markOf(metadata: Metadata | undefined, name: string): string | undefined {
  return metadata?.annotations?.[name];
}

/** Sets the mark to `value` without field managers, so that what we make of it in this very request is known as ours. */
function withMark(metadata: Metadata, name: string, value: string | undefined): Metadata {
  const { [name]: _, ...others } = metadata.annotations ?? {};
  const annotations = value === undefined ? others : { ...others, [name]: value };
  return { ...unmanaged(metadata, pathOf(name)), annotations };
}

const pathOf = (name: string) => ["metadata", "annotations", name];
