import { fastify } from "fastify";
import { onTestFinished } from "vitest";
import { parseLease } from "../../../src/lease/codec.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import { answerLog } from "../../../src/server/answer-log.ts";
import type { GateApiOptions } from "../../../src/server/gate-api/options.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { list, parseJson, record } from "../../../src/shared/json.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { memoryCache } from "./memory-cache.ts";
import { memoryCaches } from "./samples.ts";
import { unitGateApi } from "./unit-gate-api.ts";

/** The content of an API server with one klease, one pod and at most one request and Job. */
export interface Stored {
  lease: object;
  pod: object;
  request?: object;
  job?: object;
  /** The klease in the replica's cache. */
  cachedLease?: object;
  /** The pod in the replica's cache. */
  cachedPod?: object;
}

/** The object after its deletion: gone, or still there while it has finalizers. */
function withoutFinalizers(found: object): object | undefined {
  const metadata = record(record(found)["metadata"]);
  if (list(metadata["finalizers"]).length === 0) return undefined;
  return { ...found, metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
}

/** The gate API of a replica with such an API server, called by the pod. */
export function storedApi(
  { lease, pod, request, job, cachedLease = lease, cachedPod = pod }: Stored,
  given: Partial<Pick<GateApiOptions, "clock" | "logger" | "reporter">> = {},
) {
  const stored: Record<string, object | undefined> = {
    leases: lease,
    pods: pod,
    jobs: job,
    leaserequests: request,
  };
  const { client, calls } = recordedClient(({ what, sent }) => {
    const [verb, plural = ""] = what.split(" ");
    const found = stored[plural];
    if (verb === "create" && found) throw new KonductorError("AlreadyExists", what);
    if (verb === "create") stored[plural] = { ...record(sent), status: {} };
    else if (!found) throw new KonductorError("NotFound", what);
    else if (verb === "replaceStatus") stored[plural] = { ...found, status: record(sent)["status"] };
    else if (verb === "delete") stored[plural] = withoutFinalizers(found);
    return stored[plural];
  });
  const pods = memoryCache<PodView>();
  const caller = parsePod(pod);
  pods.apply(parsePod(cachedPod));
  const caches = { ...memoryCaches(), pods };
  caches.leases.apply(parseLease(cachedLease));
  const { plugin } = unitGateApi({
    ...{ client, caches },
    authenticate: async () => ({ ...caller, serviceAccount: "default" }),
    ...given,
  });
  const app = fastify();
  if (given.logger) app.addHook("onResponse", answerLog(given.logger));
  app.register(plugin);
  const address = app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    app.server.closeAllConnections();
    await app.close();
  });
  return {
    /** Resolves with the answer, or with the first line of a stream. */
    async post(path: string, body: object) {
      const headers = { authorization: "Bearer token", "content-type": "application/json" };
      const { body: answer } = await fetch(`${await address}${path}`, {
        ...{ method: "POST", headers },
        body: JSON.stringify(body),
      });
      for await (const chunk of answer ?? []) return record(parseJson(new TextDecoder().decode(chunk)));
      return {};
    },
    /** The calls that changed something, as `verb resource`. */
    writes: () => calls.map(({ what }) => what).filter((what) => !what.startsWith("get")),
    hold: () => parseLease(stored["leases"]).status.hold,
    requestStatus: () => record(stored["leaserequests"])["status"],
  };
}
