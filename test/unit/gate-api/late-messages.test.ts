/** Delayed and repeated messages of gates and keepers, which change nothing. */
import { describe, expect, test } from "vitest";
import {
  ANNOTATION,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  PATH,
  passMessage,
} from "../../../src/shared/names.ts";
import { storedApi } from "./stored-api.ts";

const ME = { kind: "Pod", name: "me", uid: "me" };
const JOB = { kind: "Job", name: "batch", uid: "job" };
const TOKEN = 42;
const HOLD = { lease: "report", token: TOKEN };
const RENEWAL = { ...HOLD, ttlMs: 600_000 };

/** Moments of the node's boot clock: two runs of the pod's gate, and keepers after the second run. */
const [RUN_1, RUN_2, KEEPER, ASKED, NEXT_KEEPER] = ["b/100", "b/300", "b/400", "b/500", "b/600"];

/** Klease a/report, held by the pod or by its Job with the pod on the list, as confirmed by the second run of the gate. */
function leaseOf(run: object = {}, ofJob = false): object {
  return {
    metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: "1" },
    spec: { ttl: "10m" },
    status: {
      phase: "Held",
      holder: "me",
      acquired: "2026-01-01T00:00:00Z",
      expires: "2026-01-01T00:10:00Z",
      fencingToken: TOKEN,
      requestUID: "request-1",
      confirmed: true,
      ...(ofJob
        ? { holderRef: JOB, holderPods: [{ name: "me", uid: "me", gateRun: RUN_2, ...run }] }
        : { holderRef: ME, gateRun: RUN_2, ...run }),
    },
  };
}

interface PodOptions {
  ofJob?: boolean;
  isDeleted?: boolean;
  /** Whether the pod's status already shows that the second run of its gate has passed. */
  isShown?: boolean;
}

/** A pod whose main runs. */
function podOf({ ofJob = false, isDeleted = false, isShown = true }: PodOptions = {}): object {
  const passed = {
    terminated: { exitCode: 0, finishedAt: "2026-01-01T00:00:05Z", message: passMessage(TOKEN, RUN_2) },
  };
  return {
    metadata: {
      namespace: "a",
      name: "me",
      uid: "me",
      labels: { [LEASE_LABEL]: "report" },
      ...(ofJob && {
        annotations: { [ANNOTATION.gate]: "job" },
        ownerReferences: [{ ...JOB, apiVersion: "batch/v1", controller: true }],
      }),
      ...(isDeleted && { deletionTimestamp: "2026-01-01T01:00:00Z", deletionGracePeriodSeconds: 30 }),
    },
    spec: {
      initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
      containers: [{ name: "main" }],
    },
    status: {
      phase: "Running",
      initContainerStatuses: [{ name: GATE_CONTAINER, state: isShown ? passed : { running: {} } }],
      containerStatuses: [{ name: "main", state: { running: { startedAt: "2026-01-01T00:00:06Z" } } }],
    },
  };
}

function requestOf(uid: string, status: object, spec: object = {}): object {
  return {
    metadata: { namespace: "a", name: "request", uid, resourceVersion: "1" },
    spec: { lease: "report", holder: "me", holderRef: ME, ...spec },
    status,
  };
}

describe.each([
  ["a pod", false],
  ["a pod of a Job that holds as a whole", true],
])("messages of %s", (_, ofJob) => {
  function sample({ run = {}, ...pod }: PodOptions & { run?: object } = {}) {
    const api = storedApi({ lease: leaseOf(run, ofJob), pod: podOf({ ofJob, ...pod }) });
    const keeper = () => {
      const { releasing, keeperSince } = api.hold()?.pods?.[0] ?? api.hold() ?? {};
      return { releasing, keeperSince };
    };
    return { ...api, keeper };
  }

  test("an announcement is written once, and a renewal by the same keeper does not take it back", async () => {
    const { post, keeper, writes, hold } = sample({ run: { keeperSince: KEEPER } });
    for (let times = 0; times < 2; times++) await post(PATH.announce, { ...HOLD, keeperSince: ASKED });
    expect(writes()).toHaveLength(1);
    await post(PATH.renew, { ...RENEWAL, keeperSince: KEEPER });
    expect(hold()?.renewals).toBe(1);
    expect(keeper()).toEqual({ releasing: true, keeperSince: ASKED });
    await post(PATH.renew, { ...RENEWAL, keeperSince: NEXT_KEEPER });
    expect(keeper()).toEqual({ releasing: false, keeperSince: NEXT_KEEPER });
  });

  test.each([
    ["of the previous run", "b/250", {}],
    ["of the previous keeper", ASKED, { keeperSince: NEXT_KEEPER }],
  ])("an announcement and a release %s change nothing", async (_what, keeperSince, run) => {
    // The pod is being deleted by now, and main handles its SIGTERM.
    const { post, writes } = sample({ run, isDeleted: true });
    await post(PATH.announce, { ...HOLD, keeperSince });
    const released = await post(PATH.release, { ...HOLD, keeperSince, sincePreStopMs: 100 });
    expect(released).toMatchObject({ released: false });
    expect(writes()).toEqual([]);
  });

  test("a release by a keeper of version 0.1.0, which does not name its run, counts if the token identifies it", async () => {
    const { post } = sample({ isDeleted: true });
    const released = await post(PATH.release, { ...HOLD, sincePreStopMs: 100 });
    expect(released).toMatchObject({ released: !ofJob });
  });

  test.each([
    ["a renewal of the previous run", { keeperSince: "b/250" }, true],
    ["a renewal of the previous keeper", { keeperSince: KEEPER }, true],
    ["a confirmation of the previous run", { gateRun: RUN_1 }, false],
    ["a confirmation of the run that the pod's status shows", { gateRun: RUN_2 }, true],
  ])("%s is refused", async (_what, said, isShown) => {
    const { post, writes } = sample({ run: { keeperSince: NEXT_KEEPER }, isShown });
    expect(await post(PATH.renew, { ...RENEWAL, ...said })).toMatchObject({ reason: "NotHolder" });
    expect(writes()).toEqual([]);
  });

  test.each([
    ["of the run that the pod's status shows", { gateRun: RUN_2 }],
    ["of the previous run, with the loss of the hold", { gateRun: RUN_1, lostToken: TOKEN }],
  ])("an acquire %s makes no request and ends no hold", async (_what, said) => {
    const { post, writes } = sample();
    expect(await post(PATH.acquire, { lease: "report", ...said })).toMatchObject({
      state: "reconnect",
      elsewhere: false,
    });
    expect(writes()).toEqual([]);
  });
});

describe("a confirmation", () => {
  const request = requestOf("request-1", { phase: "Pending" });
  const pod = podOf({ isShown: false });

  test("makes the request show its grant", async () => {
    const { post, requestStatus } = storedApi({ lease: leaseOf({ confirmed: false }), pod, request });
    expect(await post(PATH.renew, { ...RENEWAL, gateRun: RUN_2 })).toMatchObject({ token: TOKEN });
    expect(requestStatus()).toMatchObject({ phase: "Granted", fencingToken: TOKEN });
  });

  test("that comes after the grant is over leaves the pod its new place, although the cache shows the grant", async () => {
    const lease = { ...leaseOf(), status: { phase: "Available", fencingToken: TOKEN } };
    const { post, requestStatus } = storedApi({ lease, pod, request, cachedLease: leaseOf() });
    await post(PATH.renew, { ...RENEWAL, gateRun: RUN_2 });
    expect(requestStatus()).toEqual({ phase: "Pending" });
  });
});

test("an acquire of an earlier run does not replace the denied request of a later run", async () => {
  const request = requestOf("request-2", { phase: "Denied", reason: "TimedOut" }, { gateRun: RUN_2 });
  const lease = {
    ...leaseOf(),
    status: { phase: "Held", holder: "other", holderRef: { ...ME, uid: "other" } },
  };
  const { post, writes } = storedApi({ lease, pod: podOf({ isShown: false }), request });
  await post(PATH.acquire, { lease: "report", gateRun: RUN_1 });
  expect(writes()).toEqual(["create leaserequests"]);
});
