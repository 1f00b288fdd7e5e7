/**
 * src/kube is what any Kubernetes program needs: calls, live copies of objects (reflector.ts), an election, a work queue, events. Of kleases
 * it knows no more than their names.
 *
 * Of @kubernetes/client-node it uses only what reads a kubeconfig and gets credentials (credentials.ts), not the generated clients or the
 * informer. Measured with 2.x: each call opens a TLS connection of its own; the informer stops for good on a connection reset, lists anew at
 * every event after a 410, and has no bookmarks.
 */
import type { Resource } from "./resources.ts";

/** Reads a document of the API server as a T; throws where it is none. */
export type Parse<T> = (value: unknown) => T;

/** Which object. `namespace` for namespaced resources only. */
export interface ObjectRef {
  namespace?: string | undefined;
  name: string;
}

export interface ResponseInfo {
  status: number;
  /** The API server's clock, whole seconds, from the Date header; undefined if the answer is not JSON, as a proxy's may be. */
  serverDateMs: number | undefined;
  /** From its sending to the answer's headers, monotonic. */
  tookMs: number;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** For the whole call, its wait for a turn and the body included. 10 s by default. */
  timeoutMs?: number | undefined;
  /** The call is given up as Unreachable after this long without a byte; never, if left out. */
  silenceTimeoutMs?: number | undefined;
  /** Sent at once, however many calls are under way: for the few that no others may hold up. */
  outOfTurn?: boolean | undefined;
  /** Called once with every answer, refusals included. */
  onResponse?: ((info: ResponseInfo) => void) | undefined;
}

export interface ListOptions extends CallOptions {
  /** All namespaces without it. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  limit?: number | undefined;
  continue?: string | undefined;
  /** Without it the list is consistent: at least as new as every write answered before. */
  resourceVersion?: string | undefined;
  resourceVersionMatch?: "Exact" | "NotOlderThan" | undefined;
  /** A longer answer is given up as TooLarge. */
  limitBytes?: number | undefined;
  /** Called with the size of the answer. */
  onReceived?: ((bytes: number) => void) | undefined;
}

export interface ObjectList<T> {
  items: T[];
  resourceVersion: string;
  /** There when the list has another page. */
  continue: string | undefined;
}

export interface WriteOptions extends CallOptions {
  fieldManager?: string | undefined;
}

export interface PatchOptions extends WriteOptions {
  type: "merge" | "json" | "strategic" | "apply";
  subresource?: string | undefined;
  /** With `apply` only: take fields over from other managers. */
  force?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Preconditions: another object of that name, or another version, is answered by Conflict. */
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: "Foreground" | "Background" | "Orphan" | undefined;
}

export interface WatchOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  resourceVersion?: string | undefined;
  allowWatchBookmarks?: boolean | undefined;
  /** The API server ends the watch after this long. */
  timeoutSeconds?: number | undefined;
  /** A watch on which nothing, not even a bookmark, came for this long ends with Unreachable. 0, the default: never. */
  silenceTimeoutMs?: number | undefined;
}

/** What a call does, as RBAC names it; of a path of its own, by its method. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** One HTTP request to the API server. */
export interface CallInfo {
  verb: Verb;
  /** HTTP status of the answer; undefined: none came. */
  status: number | undefined;
}

/** Any event except ERROR: those are thrown, as the errors that they carry. */
export interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  object: unknown;
}

/**
 * The API server's REST interface, thin. Every answer is `unknown` unless `parse` is given.
 *
 * Throws KonductorError: NotFound (a Status that names this very object), AlreadyExists, Conflict, Gone, Invalid, BadRequest, Unauthenticated, Forbidden,
 * TooManyRequests (with `retryAfterMs` where the server said so), Unreachable (no answer in time, a broken connection, 502 to
 * 504: **a write may have happened or not**) or Internal. The message names verb, object and what the server said. Nothing is
 * retried here. An aborted `signal` rejects with its reason.
 */
export interface KubeClient {
  get(resource: Resource, ref: ObjectRef, parse?: undefined, options?: CallOptions): Promise<unknown>;
  get<T>(resource: Resource, ref: ObjectRef, parse: Parse<T>, options?: CallOptions): Promise<T>;

  /** One page. A parse error of one item fails the call. */
  list(resource: Resource, options?: ListOptions): Promise<ObjectList<unknown>>;
  list<T>(resource: Resource, options: ListOptions, parse: Parse<T>): Promise<ObjectList<T>>;

  /** Creates `object` in the namespace of its metadata; apiVersion and kind may be left out. */
  create(resource: Resource, object: object, parse?: undefined, options?: WriteOptions): Promise<unknown>;
  create<T>(resource: Resource, object: object, parse: Parse<T>, options?: WriteOptions): Promise<T>;

  /** PUT of the whole object; guarded when its metadata has a resourceVersion (otherwise the last writer wins). */
  replace(resource: Resource, object: object, parse?: undefined, options?: WriteOptions): Promise<unknown>;
  replace<T>(resource: Resource, object: object, parse: Parse<T>, options?: WriteOptions): Promise<T>;

  /** {@link replace} of the status subresource. */
  replaceStatus(
    resource: Resource,
    object: object,
    parse?: undefined,
    options?: WriteOptions,
  ): Promise<unknown>;
  replaceStatus<T>(resource: Resource, object: object, parse: Parse<T>, options?: WriteOptions): Promise<T>;

  /** `metadata.resourceVersion` and `metadata.uid` in a merge patch guard it like a replace. */
  patch(resource: Resource, ref: ObjectRef, patch: unknown, options: PatchOptions): Promise<unknown>;
  patch<T>(
    resource: Resource,
    ref: ObjectRef,
    patch: unknown,
    options: PatchOptions,
    parse: Parse<T>,
  ): Promise<T>;

  /** Answers the object with its deletionTimestamp while finalizers or a grace period keep it, else a Status. */
  delete(resource: Resource, ref: ObjectRef, options?: DeleteOptions): Promise<unknown>;

  /**
   * The events after `resourceVersion`, until the server ends the watch (the iteration ends), `signal` aborts (it throws its
   * reason) or something fails (it throws). Leaving the loop closes the connection.
   */
  watch(resource: Resource, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent>;

  /** Any other path, such as /version. Answers JSON as its value, all else as text. */
  raw(method: HttpMethod, path: string, body?: unknown, options?: CallOptions): Promise<unknown>;

  /** Ends idle connections and refuses further calls. */
  close(): Promise<void>;
}

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
