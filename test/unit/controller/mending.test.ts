/** The first term after an upgrade completes what the older konductor has written, without a burst of writes. */
import { describe, expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";
import { hasAllConditions } from "../../../src/lease/conditions.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aLease, NOW_MS } from "../lease/samples.ts";
import { buildArbiter } from "./built-arbiter.ts";
import { leaseObject, podObject, requestObject } from "./objects.ts";
import { type Stage, stageArbiter } from "./staged-arbiter.ts";

const LEASES = 2_000;

type Sent = { metadata: { name: string } };

/** A client that replaces statuses alone, each when the test has it answer. */
function slowClient() {
  const waiting: (() => void)[] = [];
  const counts = { calls: 0, most: 0 };
  const answerAll = () => {
    for (const answer of waiting.splice(0)) answer();
  };
  const client: KubeClient = new Proxy(Object.create(null), {
    get: (_, verb: string) => async (resource: Resource, sent: Sent, parse: (object: unknown) => unknown) => {
      if (verb !== "replaceStatus") throw new Error(`unexpected: ${verb} ${resource.plural}`);
      counts.calls++;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      counts.most = Math.max(counts.most, waiting.length);
      await promise;
      const metadata = { generation: 1, resourceVersion: String(1_000_000 + counts.calls) };
      return parse({ ...sent, metadata: { ...sent.metadata, ...metadata }, spec: { ttl: "1m" } });
    },
  });
  return { client, counts, waiting, answerAll };
}

test("a few Leases at a time, and in the end all", async () => {
  const clock = turnedClock(NOW_MS);
  const { client, counts, waiting, answerAll } = slowClient();
  const { caches, begin } = buildArbiter({ client, clock });
  const ready = {
    type: "Ready",
    status: "True",
    reason: "LeaseReady",
    message: "",
    lastTransitionMs: NOW_MS,
  } as const;
  for (let index = 0; index < LEASES; index++) {
    const lease = aLease({ conditions: [ready], lastToken: 5 });
    const [namespace, name] = [`ns-${index % 100}`, `lease-${index}`];
    caches.leases.apply({ ...lease, namespace, name, uid: name, resourceVersion: String(index + 1) });
  }
  const end = begin();
  await clock.turn(500);
  expect(counts).toEqual({ calls: 8, most: 8 });
  // Freed places are taken at once, and not only when those who were refused look again.
  while (waiting.length > 0) {
    answerAll();
    await clock.turn(0);
  }
  expect(counts).toEqual({ calls: LEASES, most: 8 });
  expect(caches.leases.store.list().every(hasAllConditions)).toBe(true);
  const over = end();
  await clock.turn(2_000);
  await over;
});

describe("a request that was granted by an older konductor", () => {
  const stage = (prune?: Stage["prune"]) =>
    stageArbiter({
      objects: {
        leases: [leaseObject({ hold: aHold({ expiresMs: NOW_MS + 600_000 }) })],
        pods: [podObject("run-1", "pod-1", { isRunning: true })],
        leaserequests: [
          requestObject(
            "nightly-run-1",
            "request-1",
            { holderRef: { kind: "Pod", name: "run-1", uid: "pod-1" } },
            { phase: "Granted", fencingToken: 41 },
          ),
        ],
      },
      ...(prune && { prune }),
    });
  test("gets its condition while it holds, for kubectl wait", async () => {
    const { clock, calls, requests, end } = stage();
    await clock.turn(30_000);
    expect(requests()).toMatchObject([{ status: { phase: "Granted", token: 41 }, granted: { is: true } }]);
    expect(calls.filter((call) => call === "replaceStatus leaserequests")).toHaveLength(1);
    await end();
  });

  test("is written once if the CRD is older still, and does not store it", async () => {
    let writes = 0;
    const { clock, put, end } = stage((plural, { conditions, ...others }) => {
      if (plural !== "leaserequests") return { ...others, conditions };
      if (++writes > 5) throw new Error("written again and again");
      return others;
    });
    await clock.turn(10_000);
    put("pods", podObject("run-1", "pod-1", { isRunning: true }));
    await clock.turn(30_000);
    expect(writes).toBe(1);
    await end();
  });
});
