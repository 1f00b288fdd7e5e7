/**
 * The state that the API servers share: every object in its newest version, and the history of all changes. A write has happened, as a whole
 * and in its turn, when the call returns. Objects are never changed in place.
 */
import { isDeepStrictEqual } from "node:util";
import jsonPatch from "fast-json-patch";
import type { DeleteOptions, ObjectRef } from "../../../src/kube/api.ts";
import { ELECTION_LEASES, PODS, type Resource } from "../../../src/kube/resources.ts";
import { list as array, integer, record, text } from "../../../src/shared/json.ts";
import { alreadyExists, conflict, invalid, MODIFIED, notFound, Refused } from "./refused.ts";
import { fresh, hasStatus, type Json, validate } from "./rules.ts";

export interface Change {
  type: "ADDED" | "MODIFIED" | "DELETED";
  user: string;
  resource: Resource;
  /** The object. After a deletion, its last version with the version number of the deletion. */
  object: Json;
  old: Json | undefined;
  version: number;
  atMs: number;
}

/** A write that admission checks. */
export interface Review {
  operation: "CREATE" | "UPDATE" | "DELETE";
  user: string;
  resource: Resource;
  object: Json;
  old: Json | undefined;
  subresource: string | undefined;
}

export interface Patch {
  type: "merge" | "json";
  body: unknown;
}

export interface Store {
  version(): number;
  /** The changes of objects of this resource, the oldest first. */
  changes(resource: Resource): readonly Change[];
  find(resource: Resource, ref: ObjectRef): Json | undefined;
  /** Returns the object, or throws NotFound. */
  read(resource: Resource, ref: ObjectRef): Json;
  list(resource: Resource, namespace?: string): Json[];
  create(user: string, resource: Resource, object: Json): Json;
  replace(user: string, resource: Resource, object: Json, subresource?: string): Json;
  patch(user: string, resource: Resource, ref: ObjectRef, patch: Patch, subresource?: string): Json;
  remove(user: string, resource: Resource, ref: ObjectRef, options?: DeleteOptions): Json;
  onChange(listener: (change: Change) => void): void;
}

export interface StoreOptions {
  nowMs(): number;
  /** Mutating webhooks and admission policies, which throw to refuse. They also see deletions and status updates. */
  admit?(review: Review): Json;
}

const DELETED: Json = { kind: "Status", apiVersion: "v1", status: "Success" };

export function createStore({ nowMs, admit = ({ object }) => object }: StoreOptions): Store {
  const objects = new Map<string, Map<string, Json>>();
  const history = new Map<string, Change[]>();
  const listeners: ((change: Change) => void)[] = [];
  let version = 100;
  let uids = 0;

  const nameOf = ({ group, plural }: Resource) => `${group}/${plural}`;
  const keyOf = ({ namespace = "", name }: ObjectRef) => `${namespace}/${name}`;
  const refOf = (object: Json): ObjectRef => {
    const metadata = record(object["metadata"]);
    return { namespace: text(metadata["namespace"]), name: text(metadata["name"]) ?? "" };
  };

  function collection(resource: Resource): Map<string, Json> {
    const found = objects.get(nameOf(resource)) ?? new Map<string, Json>();
    objects.set(nameOf(resource), found);
    return found;
  }

  function note(change: Omit<Change, "version" | "atMs" | "object">, object: Json): Json {
    version++;
    const metadata = { ...record(object["metadata"]), resourceVersion: String(version) };
    const whole = { ...change, object: { ...object, metadata }, version, atMs: nowMs() };
    const past = history.get(nameOf(change.resource)) ?? [];
    history.set(nameOf(change.resource), past);
    past.push(whole);
    if (change.type === "DELETED") collection(change.resource).delete(keyOf(refOf(object)));
    else collection(change.resource).set(keyOf(refOf(object)), whole.object);
    for (const listener of listeners) listener(whole);
    return whole.object;
  }

  const find = (resource: Resource, ref: ObjectRef) => collection(resource).get(keyOf(ref));

  function read(resource: Resource, ref: ObjectRef): Json {
    const found = find(resource, ref);
    if (!found) throw notFound(resource, ref.name);
    return found;
  }

  /** Throws Conflict if the write is meant for another object or another version of it. */
  function checkGuards(
    resource: Resource,
    current: Json,
    { uid, resourceVersion }: { uid?: unknown; resourceVersion?: unknown },
  ): void {
    const metadata = record(current["metadata"]);
    const { name } = refOf(current);
    if (uid !== undefined && uid !== metadata["uid"])
      throw conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata["uid"]}`,
      );
    if (resourceVersion !== undefined && resourceVersion !== metadata["resourceVersion"])
      throw conflict(resource, name, MODIFIED);
  }

  function update(
    user: string,
    resource: Resource,
    current: Json,
    wanted: Json,
    subresource: string | undefined,
  ): Json {
    checkGuards(resource, current, record(wanted["metadata"]));
    const ref = refOf(current);
    const old = record(current["metadata"]);
    const admitted = admit({
      operation: "UPDATE",
      user,
      resource,
      object: wanted,
      old: current,
      subresource,
    });
    const next: Json =
      subresource === "status"
        ? { ...current, status: admitted["status"] }
        : {
            ...admitted,
            metadata: { ...record(admitted["metadata"]), ...kept(old) },
            ...(hasStatus(resource) && { status: current["status"] }),
          };
    if (hasStatus(resource) && subresource === undefined) {
      const specOf = ({ metadata: _, status: __, ...spec }: Json) => spec;
      const isChanged = !isDeepStrictEqual(specOf(next), specOf(current));
      const generation = (integer(old["generation"]) ?? 1) + (isChanged ? 1 : 0);
      next["metadata"] = { ...record(next["metadata"]), generation };
    }
    validate(resource, ref.name, next, current);
    if (isDeepStrictEqual(next, current)) return current;
    const isLastFinalizer =
      old["deletionTimestamp"] !== undefined &&
      array(old["finalizers"]).length > 0 &&
      array(record(next["metadata"])["finalizers"]).length === 0;
    return note({ type: isLastFinalizer ? "DELETED" : "MODIFIED", user, resource, old: current }, next);
  }

  return {
    version: () => version,
    changes: (resource) => history.get(nameOf(resource)) ?? [],
    find,
    read,
    list(resource, namespace) {
      const all = [...collection(resource)].sort(([a], [b]) => (a < b ? -1 : 1));
      return all
        .map(([, object]) => object)
        .filter((object) => namespace === undefined || refOf(object).namespace === namespace);
    },
    create(user, resource, sent) {
      const ref = refOf(sent);
      if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(ref.name))
        throw invalid(
          resource,
          ref.name,
          "metadata.name: Invalid value: a lowercase RFC 1123 subdomain is required",
        );
      const object = admit({
        operation: "CREATE",
        user,
        resource,
        object: sent,
        old: undefined,
        subresource: undefined,
      });
      if (find(resource, ref)) throw alreadyExists(resource, ref.name);
      const metadata = {
        ...record(object["metadata"]),
        uid: `uid-${++uids}`,
        creationTimestamp: wholeSeconds(nowMs()),
        ...(resource !== ELECTION_LEASES && hasStatus(resource) && { generation: 1 }),
      };
      const stored = fresh(resource, { ...object, metadata });
      validate(resource, ref.name, stored, undefined);
      return note({ type: "ADDED", user, resource, old: undefined }, stored);
    },
    replace(user, resource, object, subresource) {
      return update(user, resource, read(resource, refOf(object)), object, subresource);
    },
    patch(user, resource, ref, { type, body }, subresource) {
      const current = read(resource, ref);
      const { uid } = record(record(body)["metadata"]);
      if (uid !== undefined && uid !== record(current["metadata"])["uid"])
        throw invalid(
          resource,
          ref.name,
          `metadata.uid: Invalid value: "${uid}": field is immutable`,
          "metadata.uid",
        );
      return update(
        user,
        resource,
        current,
        type === "json" ? jsonPatched(resource, ref.name, current, body) : record(merged(current, body)),
        subresource,
      );
    },
    remove(user, resource, ref, { uid, resourceVersion, gracePeriodSeconds } = {}) {
      const current = read(resource, ref);
      checkGuards(resource, current, { uid, resourceVersion });
      admit({
        operation: "DELETE",
        user,
        resource,
        object: current,
        old: current,
        subresource: undefined,
      });
      const metadata = record(current["metadata"]);
      const graceSeconds = resource === PODS ? graceOf(current, gracePeriodSeconds) : 0;
      const isKept = array(metadata["finalizers"]).length > 0 || graceSeconds > 0;
      if (!isKept) {
        note({ type: "DELETED", user, resource, old: current }, current);
        return DELETED;
      }
      const before = integer(metadata["deletionGracePeriodSeconds"]);
      if (metadata["deletionTimestamp"] !== undefined && (before ?? 0) <= graceSeconds) return current;
      const marked = {
        ...metadata,
        deletionTimestamp: wholeSeconds(nowMs() + graceSeconds * 1_000),
        ...(resource === PODS && { deletionGracePeriodSeconds: graceSeconds }),
      };
      return note({ type: "MODIFIED", user, resource, old: current }, { ...current, metadata: marked });
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

/** The metadata that no writer can change. */
function kept(metadata: Json): Json {
  const names = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation"];
  const deletion = ["deletionTimestamp", "deletionGracePeriodSeconds"];
  const fields = [...names, ...deletion].filter((field) => metadata[field] !== undefined);
  return Object.fromEntries(fields.map((field) => [field, metadata[field]]));
}

/** The grace period of a deletion. It is 0 for a pod without a kubelet, or with nothing left to stop. */
function graceOf(pod: Json, asked: number | undefined): number {
  const spec = record(pod["spec"]);
  const isOver = ["Succeeded", "Failed"].includes(text(record(pod["status"])["phase"]) ?? "");
  if (spec["nodeName"] === undefined || isOver) return 0;
  return asked ?? integer(spec["terminationGracePeriodSeconds"]) ?? 30;
}

function wholeSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result = record(target);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}

/** RFC 6902. A failed test is answered with Invalid. */
function jsonPatched(resource: Resource, name: string, current: Json, body: unknown): Json {
  const operations = array(body).map((entry) => {
    const { op, path, value } = record(entry);
    if (op === "remove") return { op, path: text(path) ?? "" } as const;
    if (op !== "test" && op !== "add" && op !== "replace") throw new Refused(400, `no such operation: ${op}`);
    return { op, path: text(path) ?? "", value } as const;
  });
  try {
    return record(jsonPatch.applyPatch(current, operations, true, false).newDocument);
  } catch (error) {
    throw invalid(resource, name, error instanceof Error ? error.message : String(error));
  }
}
