/**
 * Writes to a Lease that would change its status or its force-release annotation. Outside of the status subresource the API server drops
 * what a user writes into `status`, so this is where a forced release is seen, and where any other such change is refused aloud.
 *
 * A forced release names the hold of the very object that the API server is about to replace, and the user whom it has authenticated.
 */
import { formatForcedRelease, parseLease } from "../../lease/codec.ts";
import { forcedRelease } from "../../lease/hold.ts";
import { KonductorError } from "../../shared/errors.ts";
import { flag, parseJson, record, text, textMap } from "../../shared/json.ts";
import { FORCE_RELEASE_ANNOTATION } from "../../shared/names.ts";
import type { Rewritten } from "./admission-context.ts";
import { diff } from "./patch.ts";
import type { AdmissionRequest } from "./review.ts";

type Fields = Record<string, unknown>;

/** The only change of `status` that a user may send. */
const FREE = { phase: "Available", holder: "" } as const;
const FIELD = `metadata.annotations[${FORCE_RELEASE_ANNOTATION}]`;

/** @throws KonductorError `Forbidden` or `Invalid` for what only konductor may write. */
export function admitLease(
  lease: Fields,
  { operation, username, oldObject }: Pick<AdmissionRequest, "operation" | "username" | "oldObject">,
): Rewritten<Fields> {
  const metadata = record(lease["metadata"]);
  const name = text(metadata["name"]) ?? text(metadata["generateName"]) ?? "";
  const old = record(oldObject);
  if (operation === "CREATE") {
    // An exported Lease may carry an annotation about a hold of the original. Its status is a matter of done-work.ts.
    const ignored = `${FIELD} was ignored: konductor alone writes it; leave it out of the manifest`;
    return {
      object: annotated(lease, undefined),
      warnings: annotationOf(lease) === undefined ? [] : [ignored],
    };
  }
  if (isChanged(lease["status"], old["status"])) {
    if (isChanged(lease["status"], { ...record(old["status"]), ...FREE })) {
      throw new KonductorError(
        "Forbidden",
        `status of klease ${name} is written by konductor alone; leave it out, or free the klease by ${commandFor(name)}`,
      );
    }
    return releaseByForce(lease, old, name, username);
  }
  if (annotationOf(lease) !== annotationOf(old) && (annotationOf(lease) !== undefined || isAwaited(old))) {
    throw notYours(name);
  }
  return { object: lease, warnings: [] };
}

function releaseByForce(lease: Fields, old: Fields, name: string, by: string): Rewritten<Fields> {
  const now = readNow(lease, old);
  const { hold } = parseLease(old).status;
  if (hold) {
    return { object: annotated(lease, formatForcedRelease({ token: hold.token, by, now })), warnings: [] };
  }
  const warning = `nobody holds klease ${name}: there is nothing to release`;
  return { object: annotated(lease, annotationOf(old)), warnings: [warning] };
}

/** Whether the request's annotation says not to wait for proof. One that was stored before says nothing. */
function readNow(lease: Fields, old: Fields): boolean {
  const sent = annotationOf(lease);
  if (sent === undefined || sent === annotationOf(old)) return false;
  const { now, ...more } = record(parseJson(sent));
  const wanted = flag(now);
  if (wanted === undefined || Object.keys(more).length > 0) {
    throw new KonductorError(
      "Invalid",
      `${FIELD}: Invalid value: ${JSON.stringify(sent)}: with a forced release only {"now":true} is allowed, which does not wait for ` +
        "proof that the holder has ended",
    );
  }
  return wanted;
}

/** Whether the hold that the annotation names is not over yet. */
function isAwaited(old: Fields): boolean {
  const lease = parseLease(old);
  const { hold } = lease.status;
  return hold !== undefined && forcedRelease(lease, hold) !== undefined;
}

/** A missing status means nothing: a `kubectl replace` may send none, and `kubectl apply` removes one that its manifest has lost. */
function isChanged(sent: unknown, stored: unknown): boolean {
  return sent !== undefined && diff({ status: stored }, { status: sent }).length > 0;
}

function notYours(name: string): KonductorError {
  return new KonductorError(
    "Forbidden",
    `${FIELD} is written by konductor alone, when klease ${name} is taken from its holder; do that by ${commandFor(name)}`,
  );
}

function commandFor(name: string): string {
  return `kubectl patch klease ${name} --type=merge -p '${JSON.stringify({ status: FREE })}'`;
}

function annotationOf(lease: Fields): string | undefined {
  return textMap(record(lease["metadata"])["annotations"])[FORCE_RELEASE_ANNOTATION];
}

function annotated(lease: Fields, value: string | undefined): Fields {
  if (annotationOf(lease) === value) return lease;
  const metadata = record(lease["metadata"]);
  const { [FORCE_RELEASE_ANNOTATION]: _, ...others } = textMap(metadata["annotations"]);
  const annotations = value === undefined ? others : { ...others, [FORCE_RELEASE_ANNOTATION]: value };
  return { ...lease, metadata: { ...metadata, annotations } };
}
