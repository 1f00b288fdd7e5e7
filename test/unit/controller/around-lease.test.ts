/**
 * Live looks and guarded writes, since the caches may be behind: what the arbiter asks before it changes the requests of a Lease or creates a
 * Lease.
 */
import { describe, expect, test } from "vitest";
import { createAligning } from "../../../src/controller/aligning.ts";
import { createErrands } from "../../../src/controller/errands.ts";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import { createLiveRequests } from "../../../src/controller/live-requests.ts";
import { createMissingLease } from "../../../src/controller/missing-lease.ts";
import type { EventReport } from "../../../src/kube/events.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";
import { aHold, aLease, aRequest, NOW_MS, situationOf } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { NO_COUNTS } from "./no-counts.ts";
import { type Call, recordedClient } from "./recorded-client.ts";

const KEY = "ns/nightly";
const TTL_MS = 30_000;
const LAPSES_MS = TTL_MS + 2_000;

const json = (lease: Lease) => ({
  metadata: {
    namespace: lease.namespace,
    name: lease.name,
    uid: lease.uid,
    resourceVersion: lease.resourceVersion,
    generation: lease.generation,
  },
  spec: { ttl: `${lease.spec.ttlMs}ms` },
  status: formatLeaseStatus(lease, lease.status, NOW_MS),
});

const named = (name: string, change: Parameters<typeof aRequest>[0] = {}) => aRequest({ name, ...change });
const granted = named("granted", { status: { phase: "Granted", token: 41, holdTtlMs: TTL_MS } });
const once = named("once", { spec: { requestedAtMs: NOW_MS, waitUntilMs: NOW_MS } });
const late = named("late", { spec: { requestedAtMs: NOW_MS - 9_000, waitUntilMs: NOW_MS - 1_000 } });

interface Stage {
  /** The klease in the API server. */
  live?: Lease | undefined;
  createMissingLeases?: boolean;
  /** Throws for refused calls. */
  refuse?: (call: Call) => void;
  isNamespaceTerminating?: boolean;
  /** The answer to a GET of any pod. */
  pod?: object;
}

function stage({
  live,
  createMissingLeases = true,
  refuse,
  isNamespaceTerminating = false,
  pod,
}: Stage = {}) {
  const clock = turnedClock(NOW_MS);
  const applied: Lease[] = [];
  const { client, calls } = recordedClient((call) => {
    refuse?.(call);
    switch (call.what) {
      case "get leases":
        if (live) return json(live);
        throw new KonductorError("NotFound", "there is no such klease");
      case "get pods":
        return pod;
      case "get namespaces":
        return { metadata: isNamespaceTerminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {} };
      default:
        return call.sent;
    }
  });
  const leases = fedReflector<Lease>();
  leases.subscribe(({ object }) => applied.push(object));
  const requests = fedReflector<LeaseRequest>();
  const lapseClock = createLapseClock(clock);
  const pods = fedReflector<PodView>();
  const caches = { leases, requests, pods };
  const events = recordedEvents();
  const errands = createErrands({ clock, logger: createLogger({ level: "silent" }), wake: () => undefined });
  const liveRequests = createLiveRequests({ client, caches, clock });
  const shared = { client, caches, errands, events, liveRequests, lapseClock, clock };
  const options = { ...shared, recorder: NO_COUNTS, createMissingLeases };
  const passedOver = { shown: (request: LeaseRequest) => request };
  const work = {
    align: createAligning({ ...options, passedOver }),
    recreate: createMissingLease(options),
    liveRequests,
  };
  const deleted = () => calls.filter(({ what }) => what === "delete leaserequests").map(({ sent }) => sent);
  const asked = () => calls.map(({ what }) => what);
  return { clock, work, applied, calls, deleted, asked, pods, told: events.told };
}

function recordedEvents() {
  const told: string[] = [];
  const record = ({ object: { kind, name }, reason, message }: EventReport) =>
    told.push(`${kind} ${name}: ${reason}: ${message}`);
  return { told, record };
}

const situation = (lease: Lease, ...requests: LeaseRequest[]) => situationOf(lease, { requests });

const at = ({ name }: LeaseRequest) => ({ namespace: "ns", name });

describe("beside a klease", () => {
  // Paused, it is not granted to whoever asks.
  const lease = aLease({ lastToken: 50 }, { paused: true });
  const renewed = { ...lease, resourceVersion: "8" };
  const newer = { ...renewed, status: { ...lease.status, lastToken: 51 } };

  test("a request is deleted only in the version that was seen, since it may have been granted meanwhile", async () => {
    const { work, calls } = stage({ live: lease });
    await work.align(situation(lease, late));
    expect(calls).toMatchObject([
      { what: "get leases" },
      {
        what: "delete leaserequests",
        sent: at(late),
        options: { uid: late.uid, resourceVersion: late.resourceVersion },
      },
    ]);
    expect(work.liveRequests.isGone(late.uid)).toBe(true);
  });

  test("a request that has changed meanwhile is read again, and decided about anew", async () => {
    const refuse = ({ what }: Call) => {
      if (what === "delete leaserequests") throw new KonductorError("Conflict", "it has changed");
    };
    const { work, asked } = stage({ live: lease, refuse });
    await expect(work.liveRequests.remove(late)).rejects.toMatchObject({ code: "Conflict" });
    expect(asked()).toEqual(["delete leaserequests", "get leaserequests"]);
  });

  test.each([
    ["denied", once, { phase: "Denied", reason: "Held" }],
    ["over", granted, { phase: "Expired", reason: "Expired" }],
  ])("a request is marked as %s after a live look, guarded by its version", async (_, request, status) => {
    const { work, calls } = stage({ live: lease });
    await work.align(situation(lease, request));
    expect(calls).toMatchObject([
      { what: "get leases" },
      {
        what: "replaceStatus leaserequests",
        sent: { metadata: { uid: request.uid, resourceVersion: "3" }, status },
      },
    ]);
  });

  test("a request is marked although the klease's holder has renewed meanwhile", async () => {
    const { work, asked } = stage({ live: renewed });
    await work.align(situation(lease, once));
    expect(asked()).toEqual(["get leases", "replaceStatus leaserequests"]);
  });

  test.each([once, granted])("a request is not marked if the klease has changed: %o", async (request) => {
    const { work, asked, applied } = stage({ live: newer });
    await work.align(situation(lease, request));
    expect(asked()).toEqual(["get leases"]);
    expect(applied).toMatchObject([{ resourceVersion: "8" }]);
  });

  test("one live look precedes all writes that name the holder, since the cache may show a hold that is over", async () => {
    const hold = aHold({ ref: { kind: "LeaseRequest", ...late } });
    const held = aLease({ hold, lastToken: hold.token });
    const current = stage({ live: held });
    await current.work.align(situation(held, late, once));
    expect(current.asked()).toEqual([
      "get leases",
      "replaceStatus leaserequests",
      "replaceStatus leaserequests",
    ]);
    const outdated = stage({ live: newer });
    await outdated.work.align(situation(held, late, once));
    expect(outdated.asked()).toEqual(["get leases"]);
  });

  test("a deletion that is refused or not answered does not hold up the others", async () => {
    const refused = ["Forbidden", "Internal", "Unreachable"] as const;
    const others = ["a", "b"].map((name) => ({ ...late, name, uid: name }));
    for (const code of refused) {
      const refuse = ({ sent }: Call) => {
        if (JSON.stringify(sent).includes(late.name)) throw new KonductorError(code, "no");
      };
      const { work, deleted } = stage({ live: lease, refuse });
      await work.align(situation(lease, late, ...others));
      expect(deleted()).toEqual([late, ...others].map(at));
    }
  });

  test.each(["Conflict", "NotFound"] as const)(
    "the other steps are taken if somebody else was faster (%s)",
    async (code) => {
      const refuse = ({ sent }: Call) => {
        if (JSON.stringify(sent).includes(late.name)) throw new KonductorError(code, "somebody was faster");
      };
      const other = { ...late, name: "other", uid: "uid-of-other" };
      const { work, deleted } = stage({ live: lease, refuse });
      await work.align(situation(lease, late, other));
      expect(deleted()).toEqual([at(late), at(other)]);
      expect([late, other].map(({ uid }) => work.liveRequests.isGone(uid))).toEqual([false, true]);
    },
  );

  test("a failure is not hidden", async () => {
    const refuse = () => {
      throw new KonductorError("Unreachable", "no API server");
    };
    const { work } = stage({ refuse });
    await expect(work.align(situation(lease, late))).rejects.toMatchObject({ code: "Unreachable" });
  });

  test("a request is gone if a live look finds another one of its name", async () => {
    const found = (uid: string) => (call: Call) => ({
      metadata: { ...at(granted), uid, resourceVersion: "9" },
      call,
    });
    for (const [uid, isGone] of [
      [granted.uid, false],
      ["of another", true],
    ] as const) {
      const { client } = recordedClient(found(uid));
      const caches = { requests: fedReflector<LeaseRequest>(), pods: fedReflector<PodView>() };
      const liveRequests = createLiveRequests({ client, caches, clock: turnedClock(NOW_MS) });
      await liveRequests.look("ns", granted);
      expect(liveRequests.isGone(granted.uid)).toBe(isGone);
    }
  });
});

describe("where the cache shows no klease", () => {
  test("nothing is done if the API server has one", async () => {
    const live = aLease();
    const { work, asked, applied, clock } = stage({ live });
    await work.recreate(KEY, [granted, late]);
    await clock.turn(LAPSES_MS);
    await work.recreate(KEY, [granted, late]);
    expect(asked()).toEqual(["get leases", "get leases"]);
    expect(applied).toMatchObject([{ uid: live.uid }]);
  });

  test("a granted request is dropped when its hold has lapsed, guarded by its version", async () => {
    const { work, calls, deleted, clock } = stage();
    await work.recreate(KEY, [granted]);
    await clock.turn(LAPSES_MS - 1);
    await work.recreate(KEY, [granted]);
    expect(deleted()).toEqual([]);
    await clock.turn(1);
    await work.recreate(KEY, [granted]);
    expect(calls.at(-1)).toMatchObject({
      sent: at(granted),
      options: { uid: granted.uid, resourceVersion: "3" },
    });
  });

  const expiresMs = NOW_MS + 60_000;
  const denied = named("denied", { status: { phase: "Denied", reason: "Held", expiresMs } });
  const over = named("over", { status: { phase: "Expired", reason: "Released", expiresMs } });

  test.each([
    ["a denied request, after its minute", denied, 60_000],
    ["an expired request, after its minute", over, 60_000],
    ["an unanswered single try, after a minute", once, 60_000],
    [
      "a request that has waited long enough",
      named("waits", { spec: { waitUntilMs: NOW_MS + 5_000 } }),
      5_000,
    ],
  ])("%s is dropped", async (_, request, afterMs) => {
    const { work, deleted, clock } = stage({ createMissingLeases: false });
    await clock.turn(afterMs);
    await work.recreate(KEY, [request]);
    expect(deleted()).toEqual([]);
    await clock.turn(1);
    await work.recreate(KEY, [request]);
    expect(deleted()).toEqual([at(request)]);
  });

  test("a request that is being deleted, or a pod's, is left alone", async () => {
    const { work, deleted, clock } = stage({ createMissingLeases: false });
    const ref = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
    await clock.turn(999_000);
    await work.recreate(KEY, [
      { ...denied, terminating: true },
      { ...denied, spec: { ...denied.spec, ref } },
    ]);
    expect(deleted()).toEqual([]);
  });

  test("the klease is created again for the first waiter, with the ttl that it asks for", async () => {
    const { work, calls, applied } = stage();
    await work.recreate(KEY, [denied, late, named("waits", { spec: { ttlMs: 90_000 } })]);
    expect(calls.at(-1)).toMatchObject({
      what: "create leases",
      sent: { metadata: { namespace: "ns", name: "nightly" }, spec: { ttl: "1m30s" } },
    });
    expect(applied).toMatchObject([{ name: "nightly", spec: { ttlMs: 90_000 } }]);
  });

  test("a klease that somebody else creates first counts as a success", async () => {
    const refuse = ({ what }: Call) => {
      if (what === "create leases") throw new KonductorError("AlreadyExists", "there is one");
    };
    await expect(stage({ refuse }).work.recreate(KEY, [aRequest()])).resolves.toBeUndefined();
  });

  test("the klease is created even if the namespace cannot be read", async () => {
    const refuse = ({ what }: Call) => {
      if (what === "get namespaces") throw new KonductorError("Forbidden", "no");
    };
    const { work, asked } = stage({ refuse });
    await work.recreate(KEY, [aRequest()]);
    expect(asked()).toContain("create leases");
  });

  test("the klease is created even if a request cannot be deleted", async () => {
    const refuse = ({ what }: Call) => {
      if (what === "delete leaserequests") throw new KonductorError("Forbidden", "no");
    };
    const { work, asked } = stage({ refuse });
    await work.recreate(KEY, [late, aRequest()]);
    expect(asked()).toContain("create leases");
  });

  test.each<[string, Stage, LeaseRequest[]]>([
    ["nobody waits", {}, [denied, over, granted]],
    ["all waiters have waited long enough", {}, [late]],
    ["the flag forbids it", { createMissingLeases: false }, [aRequest()]],
    ["the namespace is terminating", { isNamespaceTerminating: true }, [aRequest()]],
  ])("the klease is not created if %s", async (_, options, requests) => {
    const { work, asked } = stage(options);
    await work.recreate(KEY, requests);
    expect(asked()).not.toContain("create leases");
  });

  test("an Event tells waiters without a running gate that the klease is missing", async () => {
    const { work, pods, told } = stage({ createMissingLeases: false });
    const request = (kind: "Pod" | "Job", name: string) =>
      named(name, { spec: { ref: { kind, name, uid: `uid-of-${name}` } } });
    const pod = statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" }));
    pods.apply({ ...pod, name: "gated", gated: true });
    pods.apply({ ...pod, name: "asks" });
    const requests = [
      request("Pod", "gated"),
      request("Pod", "asks"),
      request("Job", "whole"),
      named("client"),
    ];
    await work.recreate(KEY, requests);
    const sentence =
      "LeaseMissing: klease nightly does not exist, and konductor may not create it: create it";
    expect(told).toEqual([`Pod gated: ${sentence}`, `Job whole: ${sentence}`]);
  });

  test.each<[string, { node?: string; uid?: string; deleted?: true }, boolean]>([
    ["the pod has no node", {}, true],
    ["the pod has a node by now", { node: "node-1" }, false],
    ["the name belongs to another pod by now", { uid: "another" }, false],
    ["the pod is being deleted", { deleted: true }, false],
  ])("a pod that held before it had a node waits again or not: %s", async (_, found, waits) => {
    const metadata = { namespace: "ns", name: "run-1", uid: found.uid ?? "pod-1" };
    const deletion = found.deleted && { deletionTimestamp: "2026-01-01T00:00:00Z" };
    const pod = { metadata: { ...metadata, ...deletion }, spec: { nodeName: found.node } };
    const { work, pods, calls, asked } = stage({ pod });
    pods.apply(parsePod({ metadata: { namespace: "ns", name: "run-1", uid: "pod-1" } }));
    const ref = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
    await work.recreate(KEY, [{ ...granted, spec: { ...granted.spec, ref } }]);
    expect(asked().slice(0, 2)).toEqual(["get leases", "get pods"]);
    expect(asked().includes("replaceStatus leaserequests")).toBe(waits);
    if (waits)
      expect(calls.at(-1)?.sent).toMatchObject({
        metadata: { uid: granted.uid, resourceVersion: granted.resourceVersion },
        status: { phase: "Pending" },
      });
  });

  test("nothing is asked without requests", async () => {
    const { work, asked } = stage();
    await work.recreate(KEY, []);
    expect(asked()).toEqual([]);
  });
});
