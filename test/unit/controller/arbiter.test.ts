/** What the arbiter asks before a klease's first grant. All else is tested on a real API server, or in the worlds of test/unit/lease. */
import { expect, test } from "vitest";
import { createArbiter } from "../../../src/controller/arbiter.ts";
import { BY_LEASE, BY_NODE } from "../../../src/kube/caches.ts";
import type { NodeView } from "../../../src/kube/node-view.ts";
import { microTime } from "../../../src/lease/codec.ts";
import type { JobView } from "../../../src/lease/job.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../../src/lease/types.ts";
import { record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest, NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

const LEASE = aLease();
const waiter = aRequest({ name: "waiter", spec: { waitUntilMs: NOW_MS + 60_000 } });

const json = ({ spec, status, ...metadata }: LeaseRequest) => ({
  metadata,
  spec: { lease: spec.lease, holder: spec.holder, requestedAt: microTime(spec.requestedAtMs) },
  status: { phase: status.phase, fencingToken: status.token },
});

/** An arbiter whose cache shows who waits; `live`: the requests that there are. What it asked, and the phases that it wrote. */
function arbitrate(live: readonly LeaseRequest[], lease = LEASE) {
  const { client, calls } = recordedClient(({ what, sent }) => {
    if (what === "list leaserequests") return live.map(json);
    const { metadata, status } = record(sent);
    const spec = { ttl: "1m" };
    // Every write of the klease is a version of its own.
    const written = { resourceVersion: String(100 + calls.length), generation: lease.generation };
    return { metadata: { ...record(metadata), ...written }, spec, status };
  });
  const caches = {
    leases: fedReflector<Lease>({ [BY_NODE]: () => undefined }),
    requests: fedReflector<LeaseRequest>({ [BY_LEASE]: () => keyOf(lease) }),
    pods: fedReflector<PodView>({ [BY_LEASE]: () => undefined }),
    jobs: fedReflector<JobView>({ [BY_LEASE]: () => undefined }),
    nodes: fedReflector<NodeView>(),
  };
  const ignore = () => undefined;
  const arbiter = createArbiter({
    client,
    caches,
    reporter: { report: ignore, holderDeleted: ignore },
    events: { record: ignore },
    clock: turnedClock(NOW_MS),
    logger: createLogger({ level: "silent" }),
    createMissingLeases: true,
    systemNamespace: "konductor-system",
  });
  caches.leases.apply(lease);
  caches.requests.apply(waiter);
  const term = new AbortController();
  const over = arbiter.runTerm(term.signal).catch(ignore);
  const phases = () =>
    calls
      .filter(({ what }) => what === "replaceStatus leases")
      .map(({ sent }) => record(record(sent)["status"])["phase"]);
  return {
    asked: () => calls.map(({ what }) => what),
    phases,
    async end() {
      term.abort();
      await over;
    },
  };
}

test("who was granted a deleted klease of its name is asked of the API server, once", async () => {
  const { asked, phases, end } = arbitrate([waiter]);
  await expect.poll(phases).toContain("Held");
  await end();
  expect(asked().slice(0, 2)).toEqual(["list leaserequests", "replaceStatus leases"]);
  expect(asked().filter((what) => what === "list leaserequests")).toHaveLength(1);
});

test("and waited for, also where the cache had not shown it yet", async () => {
  const granted = aRequest({
    name: "granted",
    resourceVersion: "9",
    status: { phase: "Granted", token: 41 },
  });
  const { phases, end } = arbitrate([waiter, granted]);
  // That somebody waits is written at last.
  await expect.poll(phases).not.toEqual([]);
  await end();
  expect(phases()).toEqual(["Available"]);
});

test("nothing is asked where the klease itself records who was granted it", async () => {
  const { asked, phases, end } = arbitrate([waiter], aLease({ lastToken: 41 }));
  await expect.poll(phases).toContain("Held");
  await end();
  expect(asked()).not.toContain("list leaserequests");
});
