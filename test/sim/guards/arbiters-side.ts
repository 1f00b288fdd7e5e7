/** konductor's client without one of the guards that protect clients on the arbiter's side. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseDuration } from "../../../src/lease/duration.ts";
import { hasCode } from "../../../src/shared/errors.ts";
import { record, text } from "../../../src/shared/json.ts";
import { calling, isSame, parsedBy, refOf, specOf, statusOf } from "./calling.ts";
import { seenAs } from "./rewriting.ts";

/** Deletes requests in any version. */
export const deletesAnyVersion = (client: KubeClient) =>
  calling(client, {
    delete: (call) => (resource, ref, options) => {
      const { resourceVersion, ...rest } = record(options);
      return call(resource, ref, resource === LEASE_REQUESTS ? rest : { ...rest, resourceVersion });
    },
  });

/** Finds no requests beyond the known ones when it lists those of one klease. */
export const listsNoRequests = (client: KubeClient) =>
  calling(client, {
    list:
      (call) =>
      (resource, options, ...rest) =>
        resource === LEASE_REQUESTS && record(options)["labelSelector"] !== undefined
          ? Promise.resolve({ items: [], resourceVersion: "", continue: undefined })
          : call(resource, options, ...rest),
  });

/** Treats a request that cannot be marked as granted as if it were marked. */
export const forgoesTraces = (client: KubeClient) =>
  calling(client, {
    replaceStatus:
      (call) =>
      async (resource, object, ...rest) => {
        try {
          return await call(resource, object, ...rest);
        } catch (error) {
          const isTrace = resource === LEASE_REQUESTS && statusOf(object)["phase"] === "Granted";
          if (!isTrace || !hasCode(error, "Forbidden")) throw error;
          const ref = refOf(record(object)["metadata"]);
          return client.get(resource, ref, (found) => parsedBy(rest, found));
        }
      },
  });

/** Answers a live look at a klease with what the watch has shown. */
export function looksAtWhatItKnows(client: KubeClient): KubeClient {
  let known: unknown;
  return calling(
    {
      ...client,
      async *watch(resource, options, signal) {
        for await (const event of client.watch(resource, options, signal)) {
          if (isSame(resource, LEASES) && event.type !== "BOOKMARK")
            known = event.type === "DELETED" ? undefined : event.object;
          yield event;
        }
      },
    },
    {
      get:
        (call) =>
        async (resource, ref, ...rest) => {
          if (!isSame(resource, LEASES)) return call(resource, ref, ...rest);
          await call(resource, ref).catch(() => undefined);
          // Modules that are loaded anew know only their own errors.
          if (known === undefined) return call(resource, { ...refOf(ref), name: "not-seen" }, ...rest);
          return parsedBy(rest, known);
        },
    },
  );
}

/** Shows each hold with the ttl that a new hold would get. */
export const shortensHolds = (client: KubeClient) =>
  seenAs(client, (lease) => {
    const status = statusOf(lease);
    const holdTtlMs = parseDuration(text(specOf(lease)["ttl"]) ?? "");
    return status["holdTtlMs"] === undefined ? lease : { ...lease, status: { ...status, holdTtlMs } };
  });
