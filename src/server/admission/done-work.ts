/**
 * What users write of a Lease's list of done work (`status.done`), which is konductor's alone:
 * - the annotation `konductor.io/forget` with a key: the webhook adds who asks, and the token of the entry that is meant;
 * - the list in the manifest of a Lease that is created again, as from a backup: the API server drops the status of a new object, so the
 *   webhook carries the list over in an annotation, and warns of what is lost;
 * - the deletion of a Lease that remembers something: it is warned of, since a new Lease of that name remembers nothing.
 */
import { parseLease } from "../../lease/codec.ts";
import {
  formatForgotten,
  formatRestored,
  parseForgotten,
  type Restored,
  restoredFrom,
} from "../../lease/done-annotations.ts";
import { doneWork, isOnceKey, ONCE_KEY_RULE } from "../../lease/once.ts";
import { KonductorError } from "../../shared/errors.ts";
import { list, record, text, textMap } from "../../shared/json.ts";
import { DONE_ANNOTATION, FORGET_ANNOTATION } from "../../shared/names.ts";
import type { Rewritten } from "./admission-context.ts";
import type { AdmissionRequest } from "./review.ts";

type Fields = Record<string, unknown>;

const FIELD = `metadata.annotations[${FORGET_ANNOTATION}]`;
const NAMED = 5;

/** @throws KonductorError `Invalid` for a key that is none; `Forbidden` while an earlier key is not forgotten yet. */
export function admitDoneWork(
  lease: Fields,
  { operation, username, oldObject }: Pick<AdmissionRequest, "operation" | "username" | "oldObject">,
  nowMs: number,
): Rewritten<Fields> {
  if (operation === "CREATE") return restore(lease, nowMs);
  const [sent, stored] = [lease, record(oldObject)].map((object) => annotationsOf(object)[FORGET_ANNOTATION]);
  if (sent === undefined || sent === stored) return { object: lease, warnings: [] };
  if (!isOnceKey(sent))
    throw new KonductorError(
      "Invalid",
      `${FIELD}: Invalid value: ${JSON.stringify(sent.slice(0, 100))}: the key of work that is done is allowed, and konductor adds the rest; ${ONCE_KEY_RULE}`,
    );
  return forget(lease, record(oldObject), { key: sent, by: username, stored });
}

function forget(
  lease: Fields,
  old: Fields,
  { key, by, stored }: { key: string; by: string; stored: string | undefined },
): Rewritten<Fields> {
  const before = parseForgotten(stored);
  const isAwaited = list(record(old["status"])["done"])
    .map(record)
    .some((work) => work["key"] === before?.key && Number(work["token"]) <= (before?.token ?? 0));
  if (before && before.key !== key && isAwaited)
    throw new KonductorError(
      "Forbidden",
      `${FIELD}: konductor has not taken over yet that ${JSON.stringify(before.key)} is forgotten; try again in a moment`,
    );
  const work = doneWork(parseLease(old).status, key);
  if (work)
    return {
      object: annotated(lease, { [FORGET_ANNOTATION]: formatForgotten({ key, token: work.token, by }) }),
      warnings: [],
    };
  const warning = `klease ${nameOf(lease)} remembers no work ${JSON.stringify(key)}: there is nothing to forget`;
  return { object: annotated(lease, { [FORGET_ANNOTATION]: stored }), warnings: [warning] };
}

/** Whatever annotations the manifest has, they are about another object. */
function restore(lease: Fields, nowMs: number): Rewritten<Fields> {
  const { status } = lease;
  const restored = restoredFrom(status, nowMs);
  const value = restored && formatRestored(restored);
  const object = annotated(lease, { [FORGET_ANNOTATION]: undefined, [DONE_ANNOTATION]: value });
  return {
    object,
    warnings: status === undefined ? [] : [tellRestored(nameOf(lease), record(status), restored)],
  };
}

function tellRestored(name: string, status: Fields, restored: Restored | undefined): string {
  if (!restored)
    return `status of klease ${name} was ignored: konductor alone writes it; leave it out of the manifest`;
  const lost = list(status["done"]).length - restored.done.length;
  const more = lost > 0 ? `; entries of status.done that were ignored, as too many or wrong: ${lost}` : "";
  return `what was done under klease ${name} counts as done: ${headOf(restored.done.map(({ key }) => key))}${more}`;
}

/** What whoever deletes the Lease should know. */
export function deletionWarnings(lease: unknown): string[] {
  const { name, status } = parseLease(lease);
  const keys = (status.done ?? []).map(({ key }) => key);
  if (keys.length === 0) return [];
  return [
    `klease ${name} forgets that ${headOf(keys)} is done: under a new klease of this name that work is done again. To keep the list, save ` +
      `the klease (kubectl get klease ${name} -o yaml), and create it again from that`,
  ];
}

function headOf(keys: readonly string[]): string {
  const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : "";
  return `${keys.slice(0, NAMED).join(", ")}${more}`;
}

function nameOf(lease: Fields): string {
  const metadata = record(lease["metadata"]);
  return text(metadata["name"]) ?? text(metadata["generateName"]) ?? "";
}

const annotationsOf = (lease: Fields) => textMap(record(lease["metadata"])["annotations"]);

function annotated(lease: Fields, changes: Readonly<Record<string, string | undefined>>): Fields {
  const before = annotationsOf(lease);
  if (Object.entries(changes).every(([name, value]) => before[name] === value)) return lease;
  const annotations = Object.fromEntries(
    Object.entries({ ...before, ...changes }).filter(([, value]) => value !== undefined),
  );
  return { ...lease, metadata: { ...record(lease["metadata"]), annotations } };
}
