/** The client and clock of a process that asks by a lease client, without one of the process's own guards. */
import { LEASE_REQUESTS } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { type Call, calling, parsedBy, refOf, specOf, statusOf } from "./calling.ts";
import { OF_CACHES, seenAs, showing } from "./rewriting.ts";
import type { WorkerHas } from "./switch.ts";

/** Withholds a client's first message under a hold, and shows the client that it was accepted. */
export function confirmsToItself({ client, clock }: WorkerHas): WorkerHas {
  const said = new Map<unknown, unknown>();
  const seen = seenAs(client, (lease) => {
    const status = statusOf(lease);
    const renewTime = said.get(record(status["holderRef"])["name"]);
    const isDue = renewTime !== undefined && status["confirmed"] === false;
    return isDue ? { ...lease, status: { ...status, confirmed: true, renewTime } } : lease;
  });
  const patch =
    (call: Call): Call =>
    async (resource, ref, body, ...rest) => {
      const { renewTime } = specOf(body);
      const { name } = refOf(ref);
      if (resource !== LEASE_REQUESTS || renewTime === undefined || said.has(name))
        return call(resource, ref, body, ...rest);
      said.set(name, renewTime);
      return client.get(resource, refOf(ref), (found) =>
        parsedBy(rest, { ...record(found), spec: { ...specOf(found), renewTime } }),
      );
    };
  return { client: calling(seen, { patch }), clock };
}

/** Withholds the renewal by which a client that looks at its own request goes on with a hold, and shows the client that it was accepted. */
export function goesOnUnrenewed({ client, clock }: WorkerHas): WorkerHas {
  let isConfirmed = false;
  let hasLooked = false;
  let said: unknown;
  const seen = seenAs(client, (lease) => {
    const status = statusOf(lease);
    isConfirmed = status["confirmed"] === true;
    return said === undefined ? lease : { ...lease, status: { ...status, renewTime: said, renewals: 1_000 } };
  });
  const get =
    (call: Call): Call =>
    (resource, ...rest) => {
      hasLooked ||= resource === LEASE_REQUESTS;
      return call(resource, ...rest);
    };
  const patch =
    (call: Call): Call =>
    async (resource, ref, body, ...rest) => {
      const { renewTime } = specOf(body);
      const isFirst = renewTime !== undefined && said === undefined;
      if (!hasLooked || !isConfirmed || !isFirst) return call(resource, ref, body, ...rest);
      said = renewTime;
      return client.get(resource, refOf(ref), (found) =>
        parsedBy(rest, { ...record(found), spec: { ...specOf(found), renewTime } }),
      );
    };
  return { client: calling(seen, { get, patch }), clock };
}

/** Skips the time of renewals without an answer. */
export function countsFromTheLast({ client, clock }: WorkerHas): WorkerHas {
  let skippedMs = 0;
  let firstMs: number | undefined;
  const patch =
    (call: Call): Call =>
    async (...args) => {
      const sentMs = clock.monotonicMs();
      firstMs ??= sentMs;
      const answer = await call(...args);
      skippedMs += sentMs - firstMs;
      firstMs = undefined;
      return answer;
    };
  return {
    client: calling(client, { patch }),
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() - skippedMs },
  };
}

/** Never shows the time of the API server. */
export function hearsNoTime({ client, clock }: WorkerHas): WorkerHas {
  const deaf =
    (call: Call): Call =>
    (resource, ...rest) =>
      call(
        resource,
        ...rest.map((value) =>
          "onResponse" in record(value) ? { ...record(value), onResponse: undefined } : value,
        ),
      );
  return { client: calling(client, { get: deaf, patch: deaf, create: deaf, list: deaf }), clock };
}

/** Hides the grant in the client's own request. */
export function hearsOfNoGrant({ client, clock }: WorkerHas): WorkerHas {
  const seen = showing(client, (request, { resource, verb }) =>
    resource === LEASE_REQUESTS && OF_CACHES.includes(verb) && statusOf(request)["phase"] === "Granted"
      ? { ...request, status: { phase: "Pending" } }
      : request,
  );
  return { client: seen, clock };
}
