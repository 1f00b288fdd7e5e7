/** The project's own `KubeClient` interface on the store. Every call takes virtual time, and may meet the faults of its line. */
import type * as api from "../../../src/kube/api.ts";
import { creationPath, describeAction, objectPath } from "../../../src/kube/paths.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { statusError } from "../../../src/kube/status-error.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record, text } from "../../../src/shared/json.ts";
import type { Process } from "../process.ts";
import type { Scheduler } from "../scheduler.ts";
import { dateMs, type Line, send } from "./line.ts";
import { createLister } from "./lister.ts";
import { Refused } from "./refused.ts";
import { reviewOf } from "./reviews.ts";
import type { Json } from "./rules.ts";
import type { Store } from "./store.ts";
import { createWatch } from "./watch.ts";

export interface SimClientOptions {
  scheduler: Scheduler;
  store: Store;
  process: Process;
  line: Line;
  /** The user that the API servers see. */
  user: string;
  /** Called with every answer, including those that begin a watch. */
  onResponse?: (info: api.ResponseInfo) => void;
}

/** A call, and how an error names it. */
interface Asked {
  verb: string;
  resource: Resource;
  action: string;
  /** The name of the addressed object, if there is just one. */
  name?: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const KEYS = { issuer: "https://kubernetes.default.svc", keys: [] };
const RAW: Record<string, object> = {
  "/version": { major: "1" },
  "/.well-known/openid-configuration": KEYS,
  "/openid/v1/jwks": KEYS,
};

export function createSimClient({
  scheduler,
  store,
  process,
  line,
  user,
  ...own
}: SimClientOptions): api.KubeClient {
  const { clock } = process;
  const lister = createLister(store, line);

  function call(
    { verb, resource, action, name }: Asked,
    execute: () => unknown,
    {
      signal,
      timeoutMs = DEFAULT_TIMEOUT_MS,
      silenceTimeoutMs = timeoutMs,
      onResponse,
    }: api.CallOptions & { silenceTimeoutMs?: number | undefined } = {},
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let isOver = false;
    const settle = (end: () => void) => {
      if (isOver) return;
      isOver = true;
      stopTimer();
      signal?.removeEventListener("abort", abort);
      end();
    };
    const abort = () => settle(() => reject(signal?.reason));
    const unreachable = (why: string, cause: Error) =>
      settle(() => reject(new KonductorError("Unreachable", `cannot ${action}: ${why}`, { cause })));
    // An answer arrives as a whole, so nothing is heard before.
    const patienceMs = Math.min(timeoutMs, silenceTimeoutMs);
    const stopTimer = clock.after(patienceMs, () => {
      const cause = Object.assign(new Error("timeout"), { name: "TimeoutError" });
      unreachable(`the API server did not answer within ${patienceMs} ms`, cause);
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    if (isOver) return promise;

    const sentMs = clock.monotonicMs();
    const fault = line.faultOf({ verb, resource });
    line.onCall({ verb, resource });
    const broken = () =>
      unreachable("the connection to the API server failed", new Error("connection reset"));
    const answer = (status: number, end: () => void) => {
      const serverDateMs = dateMs(scheduler);
      const arrive = () => {
        if (isOver) return;
        const info = { status, serverDateMs, tookMs: clock.monotonicMs() - sentMs };
        own.onResponse?.(info);
        onResponse?.(info);
        settle(end);
      };
      send(scheduler, line, () => process.enter(arrive));
    };
    const refuse = ({ status, body }: Refused, retryAfter?: number) => {
      const error = statusError(action, status, body, {
        retryAfter: retryAfter?.toString(),
        ...(name !== undefined && { about: { plural: resource.plural, name } }),
      });
      answer(status, () => reject(error));
    };
    const arrive = (isAnswered: boolean) => {
      try {
        const result = execute();
        if (isAnswered) answer(200, () => resolve(result));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (isAnswered) refuse(error);
      }
    };
    switch (fault?.is) {
      case "refused":
        send(scheduler, line, () =>
          refuse(new Refused(fault.status, "a fault of the story"), fault.retryAfterSeconds),
        );
        break;
      case "misled": {
        const error = statusError(action, 404, "404 page not found\n");
        send(scheduler, line, () => answer(404, () => reject(error)));
        break;
      }
      case "broken":
      case "unanswered":
        if (fault.tookEffect) send(scheduler, line, () => arrive(false));
        if (fault.is === "broken") send(scheduler, line, () => process.enter(broken), 3);
        break;
      case "late":
        if (fault.twice) send(scheduler, line, () => arrive(true));
        send(scheduler, line, () => arrive(true), fault.byMs);
        break;
      default:
        send(scheduler, line, () => arrive(true));
    }
    return promise;
  }

  async function get<T>(
    resource: Resource,
    ref: api.ObjectRef,
    parse?: api.Parse<T>,
    options?: api.CallOptions,
  ): Promise<T> {
    objectPath(resource, ref);
    const action = describeAction("get", resource, ref);
    const asked = { verb: "get", resource, action, name: ref.name };
    return parsed(await call(asked, () => store.read(resource, ref), options), parse);
  }

  async function list<T>(
    resource: Resource,
    options: api.ListOptions = {},
    parse?: api.Parse<T>,
  ): Promise<api.ObjectList<T>> {
    const action = describeAction("list", resource, { namespace: options.namespace });
    const asked = { verb: "list", resource, action };
    const page = record(await call(asked, () => lister.page(resource, options), options));
    const items = Array.isArray(page["items"]) ? page["items"] : [];
    return {
      items: items.map((item) => parsed(item, parse)),
      resourceVersion: text(page["resourceVersion"]) ?? "",
      continue: text(page["continue"]),
    };
  }

  async function create<T>(
    resource: Resource,
    object: object,
    parse?: api.Parse<T>,
    options?: api.WriteOptions,
  ): Promise<T> {
    const sent = onTheWire(object);
    const target = identity(sent);
    creationPath(resource, target.namespace);
    const action = describeAction("create", resource, target);
    const sentMs = scheduler.nowMs();
    const execute = () => {
      line.onCreate(resource, target.name ?? "", sentMs);
      const review = reviewOf(store, resource, sent, user, scheduler.nowMs());
      return review ?? store.create(user, resource, sent);
    };
    return parsed(await call({ verb: "create", resource, action }, execute, options), parse);
  }

  const put =
    (verb: string, subresource?: "status") =>
    async <T>(
      resource: Resource,
      object: object,
      parse?: api.Parse<T>,
      options?: api.WriteOptions,
    ): Promise<T> => {
      const sent = onTheWire(object);
      const target = identity(sent);
      objectPath(resource, target);
      const action = describeAction(subresource ? "update the status of" : "update", resource, target);
      const execute = () => store.replace(user, resource, sent, subresource);
      return parsed(await call({ verb, resource, action, name: target.name }, execute, options), parse);
    };

  async function patch<T>(
    resource: Resource,
    ref: api.ObjectRef,
    body: unknown,
    { type, subresource, ...options }: api.PatchOptions,
    parse?: api.Parse<T>,
  ): Promise<T> {
    objectPath(resource, ref);
    const action = describeAction(subresource ? `patch the ${subresource} of` : "patch", resource, ref);
    if (type !== "merge" && type !== "json") throw new Error(`no ${type} patches here`);
    const sent: unknown = JSON.parse(JSON.stringify(body));
    const execute = () => store.patch(user, resource, ref, { type, body: sent }, subresource);
    return parsed(await call({ verb: "patch", resource, action, name: ref.name }, execute, options), parse);
  }

  return {
    get,
    list,
    create,
    replace: put("replace"),
    replaceStatus: put("replaceStatus", "status"),
    patch,
    async delete(resource, ref, options = {}) {
      objectPath(resource, ref);
      const action = describeAction("delete", resource, ref);
      const asked = { verb: "delete", resource, action, name: ref.name };
      return call(asked, () => store.remove(user, resource, ref, options), options);
    },
    watch: (resource, options, signal) =>
      createWatch({ scheduler, store, process, line, ...own }, resource, options, signal),
    async raw(method, path, _body, options) {
      const answer = RAW[path];
      if (!answer) throw new Error(`there is no ${method} ${path} here`);
      const resource = { group: "", version: "", plural: path, kind: "", namespaced: false };
      return call({ verb: "get", resource, action: `${method} ${path}` }, () => answer, options);
    },
    async close() {},
  };
}

/** Without a parser an answer is `unknown`, and T is, too. */
function parsed<T>(answer: unknown, parse: api.Parse<T> | undefined): T {
  return parse ? parse(answer) : (answer as T);
}

/** A copy as JSON transmits it: without undefined fields, and safe from later changes by the sender. */
function onTheWire(object: object): Json {
  return record(JSON.parse(JSON.stringify(object)));
}

function identity(object: Json): { namespace: string | undefined; name: string | undefined } {
  const metadata = record(object["metadata"]);
  return { namespace: text(metadata["namespace"]), name: text(metadata["name"]) };
}
