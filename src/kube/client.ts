import type { KubeConfig } from "@kubernetes/client-node";
import { type Clock, systemClock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import { list as array, defined, record, text } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import type * as api from "./api.ts";
import type { Headers } from "./credentials.ts";
import { collectionPath, creationPath, describeAction, objectPath, query, type Target } from "./paths.ts";
import { apiVersion, type Resource } from "./resources.ts";
import { type Call, createTransport } from "./transport.ts";
import { watchEvents } from "./watch-stream.ts";

export type * from "./api.ts";

export interface KubeClientOptions {
  kubeConfig: KubeConfig;
  userAgent: string;
  logger?: Logger;
  clock?: Clock;
  /** Called with every answer, also with those that begin a watch. */
  onResponse?: (info: api.ResponseInfo) => void;
  /** Called once with every request, when its answer begins or it has failed. */
  onCall?: (info: api.CallInfo) => void;
  /** Sent with every call, in place of those that the kubeconfig gives. */
  headers?: Headers | undefined;
  /** Used if the cluster of the kubeconfig names no proxy. */
  proxyUrl?: string | undefined;
  /** Called when the API server has refused the credentials: authenticators of the kubeconfig forget what they have cached. */
  onRefused?: (() => void) | undefined;
  /** Of every call that has no limit of its own; 10 s by default. */
  timeoutMs?: number | undefined;
  /** How many calls are under way at a time, besides watches and those out of turn; 1,000 by default. */
  mostCalls?: number | undefined;
}

/** A single object, its managed fields included, stays far below it. */
const OBJECT_LIMIT_BYTES = 16 << 20;
const LIST_LIMIT_BYTES = 256 << 20;

const PATCH_TYPE = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml", // JSON is YAML
} as const;

const VERB_OF = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" } as const;

type AnyParse = api.Parse<unknown>;

/**
 * A client for the kubeconfig's current context. It opens connections when first used and keeps them: one for each watch, and one for each
 * call under way. When too many calls are under way others wait for a turn, in which namespaces have equal shares.
 */
export function createKubeClient(options: KubeClientOptions): api.KubeClient {
  const transport = createTransport({ clock: systemClock(), ...options });

  async function send(call: Omit<Call, "limitBytes">, options: api.CallOptions = {}, parse: AnyParse = asIs) {
    const { signal, timeoutMs, silenceTimeoutMs, outOfTurn, onResponse } = options;
    const limits = { signal, timeoutMs, silenceTimeoutMs, outOfTurn, onResponse };
    return parse(await transport.send({ ...call, limitBytes: OBJECT_LIMIT_BYTES }, limits));
  }

  function get<T>(
    resource: Resource,
    ref: api.ObjectRef,
    parse: api.Parse<T>,
    options?: api.CallOptions,
  ): Promise<T>;
  function get(
    resource: Resource,
    ref: api.ObjectRef,
    parse?: undefined,
    options?: api.CallOptions,
  ): Promise<unknown>;
  async function get(resource: Resource, ref: api.ObjectRef, parse?: AnyParse, options?: api.CallOptions) {
    const call = { verb: "get", method: "GET", ...addressed("get", resource, ref) } as const;
    return await send(call, options, objectOf(call.action, parse, ref.name));
  }

  function list<T>(
    resource: Resource,
    options: api.ListOptions,
    parse: api.Parse<T>,
  ): Promise<api.ObjectList<T>>;
  function list(resource: Resource, options?: api.ListOptions): Promise<api.ObjectList<unknown>>;
  async function list(resource: Resource, options: api.ListOptions = {}, parse: AnyParse = asIs) {
    const { namespace, signal, timeoutMs, silenceTimeoutMs, outOfTurn, onResponse, ...others } = options;
    const limits = { signal, timeoutMs, silenceTimeoutMs, outOfTurn, onResponse };
    const { limitBytes = LIST_LIMIT_BYTES, onReceived, ...parameters } = others;
    const path = collectionPath(resource, namespace) + query(parameters);
    const call: Call = {
      verb: "list",
      method: "GET",
      path,
      action: describeAction("list", resource, { namespace }),
      limitBytes,
      ...defined({ onReceived }),
    };
    const body = record(await transport.send(call, limits));
    const metadata = record(body["metadata"]);
    if (!Array.isArray(body["items"]) && text(metadata["resourceVersion"]) === undefined)
      throw notTheServers(call.action);
    return {
      items: array(body["items"]).map((item) => parse(item)),
      resourceVersion: text(metadata["resourceVersion"]) ?? "",
      continue: text(metadata["continue"]) || undefined,
    };
  }

  function create<T>(
    resource: Resource,
    object: object,
    parse: api.Parse<T>,
    options?: api.WriteOptions,
  ): Promise<T>;
  function create(
    resource: Resource,
    object: object,
    parse?: undefined,
    options?: api.WriteOptions,
  ): Promise<unknown>;
  async function create(
    resource: Resource,
    object: object,
    parse?: AnyParse,
    options: api.WriteOptions = {},
  ) {
    const target = identity(object);
    const path = creationPath(resource, target.namespace) + query({ fieldManager: options.fieldManager });
    const action = describeAction("create", resource, target);
    const call = { verb: "create", method: "POST", path, action, body: typed(resource, object) } as const;
    return await send(call, options, objectOf(action, parse));
  }

  async function put(
    resource: Resource,
    object: object,
    subresource?: "status",
    parse?: AnyParse,
    options: api.WriteOptions = {},
  ) {
    const target = identity(object);
    const verb = subresource ? `update the ${subresource} of` : "update";
    const { path, ...others } = addressed(verb, resource, target, subresource);
    const call = { ...others, path: path + query({ fieldManager: options.fieldManager }) };
    const sent = { verb: "update", method: "PUT", ...call, body: typed(resource, object) } as const;
    return await send(sent, options, objectOf(call.action, parse));
  }

  function replace<T>(
    resource: Resource,
    object: object,
    parse: api.Parse<T>,
    options?: api.WriteOptions,
  ): Promise<T>;
  function replace(
    resource: Resource,
    object: object,
    parse?: undefined,
    options?: api.WriteOptions,
  ): Promise<unknown>;
  async function replace(resource: Resource, object: object, parse?: AnyParse, options?: api.WriteOptions) {
    return await put(resource, object, undefined, parse, options);
  }

  function replaceStatus<T>(
    resource: Resource,
    object: object,
    parse: api.Parse<T>,
    options?: api.WriteOptions,
  ): Promise<T>;
  function replaceStatus(
    resource: Resource,
    object: object,
    parse?: undefined,
    options?: api.WriteOptions,
  ): Promise<unknown>;
  async function replaceStatus(
    resource: Resource,
    object: object,
    parse?: AnyParse,
    options?: api.WriteOptions,
  ) {
    return await put(resource, object, "status", parse, options);
  }

  function patch<T>(
    resource: Resource,
    ref: api.ObjectRef,
    body: unknown,
    options: api.PatchOptions,
    parse: api.Parse<T>,
  ): Promise<T>;
  function patch(
    resource: Resource,
    ref: api.ObjectRef,
    body: unknown,
    options: api.PatchOptions,
  ): Promise<unknown>;
  async function patch(
    resource: Resource,
    ref: api.ObjectRef,
    body: unknown,
    options: api.PatchOptions,
    parse?: AnyParse,
  ) {
    const { type, subresource, fieldManager, force } = options;
    const verb = subresource ? `patch the ${subresource} of` : "patch";
    const { path, ...others } = addressed(verb, resource, ref, subresource);
    const call = { ...others, path: path + query({ fieldManager, force }), contentType: PATCH_TYPE[type] };
    return await send(
      { verb: "patch", method: "PATCH", ...call, body },
      options,
      objectOf(call.action, parse),
    );
  }

  return {
    get,
    list,
    create,
    replace,
    replaceStatus,
    patch,

    async delete(resource, ref, options = {}) {
      const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options;
      const preconditions = { uid, resourceVersion };
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        gracePeriodSeconds,
        propagationPolicy,
        preconditions,
      };
      const call = { verb: "delete", method: "DELETE", ...addressed("delete", resource, ref), body } as const;
      return await send(call, options, objectOf(call.action));
    },

    async *watch(resource, options, signal) {
      const { namespace, silenceTimeoutMs = 0, ...parameters } = options;
      const path = collectionPath(resource, namespace) + query({ watch: true, ...parameters });
      const action = describeAction("watch", resource, { namespace });
      const call: Call = { verb: "watch", method: "GET", path, action, limitBytes: OBJECT_LIMIT_BYTES };
      yield* watchEvents(action, await transport.stream(call, signal, silenceTimeoutMs));
    },

    raw: (method, path, body, options) =>
      send(
        {
          ...{ verb: VERB_OF[method], method, path, action: `${method} ${path}` },
          ...{ accept: "application/json, */*", body },
        },
        options,
      ),
    close: () => transport.close(),
  };
}

function asIs(value: unknown): unknown {
  return value;
}

/** Where one object is, and what errors call it. */
function addressed(verb: string, resource: Resource, { namespace, name }: Target, subresource?: string) {
  return {
    path: objectPath(resource, { namespace, name }, subresource),
    action: describeAction(verb, resource, { namespace, name }),
    about: { plural: resource.plural, name: name ?? "" },
  };
}

/** Parses the answer to a call about one object. A proxy's answer in place of the API server's says nothing of it, whatever its status. */
function objectOf(action: string, parse: AnyParse = asIs, name?: string): AnyParse {
  return (answer) => {
    const { kind, metadata } = record(answer);
    if (kind === undefined || (name !== undefined && record(metadata)["name"] !== name))
      throw notTheServers(action);
    return parse(answer);
  };
}

function notTheServers(action: string): KonductorError {
  return new KonductorError("Unreachable", `cannot ${action}: the answer did not come from the API server`);
}

function identity(object: object): Target {
  const metadata = record(record(object)["metadata"]);
  return { namespace: text(metadata["namespace"]), name: text(metadata["name"]) };
}

function typed(resource: Resource, object: object): object {
  return { apiVersion: apiVersion(resource), kind: resource.kind, ...object };
}
