/** The real arbiter with an API server of a few objects. Any call can be refused, left unanswered or answered late, and any watch stalled. */
import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { parseJob } from "../../../src/lease/job.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { parseNode } from "../../../src/objects/node-view.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { defined, list, record, text } from "../../../src/shared/json.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { NOW_MS } from "../lease/samples.ts";
import { type BuiltArbiterOptions, buildArbiter } from "./built-arbiter.ts";

type Json = Record<string, unknown>;

/** The fate of a call such as `get pods` for the object of this name; a number: by so many milliseconds its answer is late. */
export type Fault = (what: string, name: string) => "refused" | "unanswered" | number | undefined;

export interface Stage {
  /** The objects of each resource, by its plural. */
  objects: Record<string, object[]>;
  fault?: Fault;
  /** Plurals of resources whose watches are stalled. */
  stalled?: readonly string[];
  recorder?: BuiltArbiterOptions["recorder"];
  logger?: BuiltArbiterOptions["logger"];
  record?: BuiltArbiterOptions["record"];
  /** A CRD is older than konductor: what is stored of a status. */
  prune?: (plural: string, status: Json) => Json;
}

export function stageArbiter(stage: Stage) {
  const {
    objects,
    fault = () => undefined,
    stalled = [],
    recorder,
    logger,
    record: recordEvent,
    prune = (_, status) => status,
  } = stage;
  const clock = turnedClock(NOW_MS);
  const calls: string[] = [];
  let version = 1_000;
  const stored = new Map<string, Json>();
  const keyIn = (plural: string, object: Json) => `${plural}/${text(record(object["metadata"])["name"])}`;
  const feed: Record<string, (object: Json) => void> = {
    leases: (object) => caches.leases.apply(parseLease(object)),
    leaserequests: (object) => caches.requests.apply(parseLeaseRequest(object)),
    pods: (object) => caches.pods.apply(parsePod(object)),
    jobs: (object) => caches.jobs.apply(parseJob(object)),
    nodes: (object) => caches.nodes.apply(parseNode(object)),
  };

  function put(plural: string, object: Json, isTold = !stalled.includes(plural)): Json {
    const metadata = { ...record(object["metadata"]), resourceVersion: String(++version) };
    const written = { ...object, metadata };
    stored.set(keyIn(plural, object), written);
    if (isTold) feed[plural]?.(written);
    return written;
  }

  function erase(plural: string, object: Json): void {
    stored.delete(keyIn(plural, object));
    if (plural === "leaserequests" && !stalled.includes(plural))
      caches.requests.remove({ ...parseLeaseRequest(object), resourceVersion: String(++version) });
  }

  function found(plural: string, sent: Json): Json {
    const name = text(sent["name"]) ?? text(record(sent["metadata"])["name"]);
    const object = stored.get(`${plural}/${name}`);
    if (!object) throw new KonductorError("NotFound", `${plural}/${name}`);
    return object;
  }

  function answer(verb: string, plural: string, sent: Json, third: unknown): unknown {
    switch (verb) {
      case "list":
        return [...stored].flatMap(([key, object]) => (key.startsWith(`${plural}/`) ? [object] : []));
      case "get":
        return plural === "namespaces" ? { metadata: {} } : found(plural, sent);
      case "create":
        if (stored.has(keyIn(plural, sent))) throw new KonductorError("AlreadyExists", plural);
        return put(plural, { ...sent, metadata: { ...record(sent["metadata"]), uid: `new-${version}` } });
      case "replaceStatus": {
        const object = found(plural, sent);
        const read = record(sent["metadata"])["resourceVersion"];
        if (read !== record(object["metadata"])["resourceVersion"])
          throw new KonductorError("Conflict", "written meanwhile");
        return put(plural, { ...object, status: prune(plural, record(sent["status"])) });
      }
      case "patch": {
        const object = found(plural, sent);
        const { metadata, spec, status } = record(third);
        const read = record(metadata)["resourceVersion"] ?? record(object["metadata"])["resourceVersion"];
        if (read !== record(object["metadata"])["resourceVersion"])
          throw new KonductorError("Conflict", "changed meanwhile");
        return put(plural, {
          ...object,
          metadata: { ...record(object["metadata"]), ...record(metadata) },
          spec: {
            ...record(object["spec"]),
            ...record(spec),
            ...(Array.isArray(third) && { schedulingGates: [] }),
          },
          status: { ...record(object["status"]), ...record(status) },
        });
      }
      case "delete": {
        const object = found(plural, sent);
        const { resourceVersion } = record(object["metadata"]);
        if (plural === "pods" && (record(third)["resourceVersion"] ?? resourceVersion) !== resourceVersion)
          throw new KonductorError("Conflict", "changed meanwhile");
        const metadata = {
          ...record(object["metadata"]),
          deletionTimestamp: new Date(clock.nowMs()).toISOString(),
        };
        if (plural === "pods") return put(plural, { ...object, metadata });
        erase(plural, object);
        return {};
      }
      default:
        throw new Error(`unexpected: ${verb} ${plural}`);
    }
  }

  const client: KubeClient = new Proxy(Object.create(null), {
    get:
      (_, verb: string) =>
      async ({ plural }: Resource, given: unknown, third: unknown, ...others: unknown[]) => {
        const sent = record(given);
        const what = `${verb} ${plural}`;
        calls.push(what);
        const fate = fault(what, text(sent["name"]) ?? text(record(sent["metadata"])["name"]) ?? "");
        if (fate === "refused") throw new KonductorError("Forbidden", what);
        if (fate === "unanswered") return new Promise(() => undefined);
        const result = answer(verb, plural, sent, third);
        if (fate !== undefined) await clock.sleep(fate);
        const parse = [third, ...others].find((one) => typeof one === "function");
        if (Array.isArray(result)) return { items: parse ? result.map((item) => parse(item)) : result };
        return parse ? parse(result) : result;
      },
  });
  const { caches, begin } = buildArbiter({
    client,
    clock,
    ...defined({ recorder, logger, record: recordEvent }),
  });
  for (const [plural, all] of Object.entries(objects))
    for (const object of all) put(plural, record(object), true);
  const endTerm = begin();
  return {
    clock,
    calls,
    caches,
    /** Writes an object, and shows it to the cache unless its watch is stalled. */
    put: (plural: string, object: object) => void put(plural, record(object)),
    remove: (plural: string, name: string) => void stored.delete(`${plural}/${name}`),
    /** Somebody deletes a request, of which the cache is told. */
    withdraw: (name: string) => erase("leaserequests", found("leaserequests", { name })),
    /** The object as it is stored; undefined: there is none. */
    stored: (plural: string, name: string) => stored.get(`${plural}/${name}`),
    lease: () => parseLease(stored.get("leases/nightly")),
    /** The uid of the holder of klease nightly, if it exists and is held. */
    holder(): string | undefined {
      const lease = stored.get("leases/nightly");
      return lease && parseLease(lease).status.hold?.ref.uid;
    },
    requests: () => list(answer("list", "leaserequests", {}, undefined)).map(parseLeaseRequest),
    /** Turns the clock until `isSo`. Resolves with the time that this took, at most `withinMs`. */
    async until(isSo: () => boolean, withinMs: number): Promise<number> {
      const startMs = clock.monotonicMs();
      while (!isSo() && clock.monotonicMs() - startMs <= withinMs) await clock.turn(1_000);
      return clock.monotonicMs() - startMs;
    },
    async end() {
      const over = endTerm();
      await clock.turn(2_000);
      await over;
    },
  };
}
