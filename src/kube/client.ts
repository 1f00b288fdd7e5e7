import type { KubeConfig } from "@kubernetes/client-node";
import { type Clock, systemClock } from "../shared/clock.ts";
import { list as array, record, text } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import type * as api from "./api.ts";
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

type AnyParse = api.Parse<unknown>;

/** A client for the kubeconfig's current context. It opens connections when first used and keeps them. */
export function createKubeClient(options: KubeClientOptions): api.KubeClient {
  const transport = createTransport({ clock: systemClock(), ...options });

  async function send(call: Omit<Call, "limitBytes">, options: api.CallOptions = {}, parse: AnyParse = asIs) {
    const { signal, timeoutMs, onResponse } = options;
    return parse(
      await transport.send({ ...call, limitBytes: OBJECT_LIMIT_BYTES }, { signal, timeoutMs, onResponse }),
    );
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
    const action = describeAction("get", resource, ref);
    return await send({ method: "GET", path: objectPath(resource, ref), action }, options, parse);
  }

  function list<T>(
    resource: Resource,
    options: api.ListOptions,
    parse: api.Parse<T>,
  ): Promise<api.ObjectList<T>>;
  function list(resource: Resource, options?: api.ListOptions): Promise<api.ObjectList<unknown>>;
  async function list(resource: Resource, options: api.ListOptions = {}, parse: AnyParse = asIs) {
    const { namespace, signal, timeoutMs, onResponse, ...parameters } = options;
    const path = collectionPath(resource, namespace) + query(parameters);
    const call: Call = {
      method: "GET",
      path,
      action: describeAction("list", resource, { namespace }),
      limitBytes: LIST_LIMIT_BYTES,
    };
    const body = record(await transport.send(call, { signal, timeoutMs, onResponse }));
    const metadata = record(body["metadata"]);
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
    return await send({ method: "POST", path, action, body: typed(resource, object) }, options, parse);
  }

  async function put(
    resource: Resource,
    object: object,
    subresource?: "status",
    parse?: AnyParse,
    options: api.WriteOptions = {},
  ) {
    const target = identity(object);
    const path = objectPath(resource, target, subresource) + query({ fieldManager: options.fieldManager });
    const action = describeAction(subresource ? `update the ${subresource} of` : "update", resource, target);
    return await send({ method: "PUT", path, action, body: typed(resource, object) }, options, parse);
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
    const path = objectPath(resource, ref, subresource) + query({ fieldManager, force });
    const action = describeAction(subresource ? `patch the ${subresource} of` : "patch", resource, ref);
    return await send({ method: "PATCH", path, action, body, contentType: PATCH_TYPE[type] }, options, parse);
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
      const action = describeAction("delete", resource, ref);
      return await send({ method: "DELETE", path: objectPath(resource, ref), action, body }, options);
    },

    async *watch(resource, options, signal) {
      const { namespace, silenceTimeoutMs = 0, ...parameters } = options;
      const path = collectionPath(resource, namespace) + query({ watch: true, ...parameters });
      const action = describeAction("watch", resource, { namespace });
      const call: Call = { method: "GET", path, action, limitBytes: OBJECT_LIMIT_BYTES };
      yield* watchEvents(action, await transport.stream(call, signal, silenceTimeoutMs));
    },

    raw: (method, path, body, options) => send({ method, path, action: `${method} ${path}`, body }, options),
    close: () => transport.close(),
  };
}

function asIs(value: unknown): unknown {
  return value;
}

function identity(object: object): Target {
  const metadata = record(record(object)["metadata"]);
  return { namespace: text(metadata["namespace"]), name: text(metadata["name"]) };
}

function typed(resource: Resource, object: object): object {
  return { apiVersion: apiVersion(resource), kind: resource.kind, ...object };
}
