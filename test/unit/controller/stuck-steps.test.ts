/**
 * Whatever the arbiter does to other objects than the Lease may always be refused, or never be answered. These tests let each of its calls
 * fail so in every situation, and its time limits still hold: a silent holder expires, its hold ends or somebody is told to act, and a free
 * Lease is granted to whoever can use it.
 */
import { describe, expect, test } from "vitest";
import type { Hold } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { FORCE_RELEASE_ANNOTATION } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, podObject, requestObject } from "./objects.ts";
import { type Stage, stageArbiter } from "./staged-arbiter.ts";

const TTL_MS = 60_000;
const START_TIMEOUT_MS = 20_000;
const GRACE_MS = 30_000;
const LEFT_TO_JOB_MS = 5_000;
/** The tolerance of a limit, including the patience with failing calls. */
const SOON_MS = 5_000;

const podRequest = (pod: string, podUid: string, uid: string, status: object = {}) =>
  requestObject(`nightly-${pod}`, uid, { holderRef: { kind: "Pod", name: pod, uid: podUid } }, status);

/** A waiting client, which can use the Lease at any time. */
const WAITER = requestObject("waiter", "uid-of-waiter");
const NODE = {
  metadata: { name: "node-1", uid: "n" },
  status: { conditions: [{ type: "Ready", status: "True" }] },
};

const holdOfJob = (change: Partial<Hold> = {}) =>
  aHold({ holder: "batch", ref: { kind: "Job", name: "batch", uid: "job-1" }, pods: [], ...change });
const member = (name: string) => ({
  kind: "Pod" as const,
  ...{ name, uid: `uid-of-${name}`, node: "node-1", graceSeconds: 30, selfFencing: false, releasing: false },
});
const holdOfClient = (change: Partial<Hold> = {}) =>
  aHold({ holder: "ci", ref: { kind: "LeaseRequest", name: "own", uid: "uid-of-own" }, ...change });
const own = (spec: object = {}) =>
  requestObject("own", "uid-of-own", spec, { phase: "Granted", fencingToken: 41 });
const cannotFence = { ...aHold().ref, selfFencing: false };

const granted = podRequest("run-1", "pod-1", "request-1", { phase: "Granted", fencingToken: 41 });
const main = ({ canFence = false } = {}) => podObject("run-1", "pod-1", { isRunning: true, canFence });

interface Case {
  objects: Record<string, object[]>;
  /** The time within which the waiter is granted the Lease, or somebody is told to act. */
  endsWithinMs: number;
  /** The time within which renewals are refused, if there is a holder. */
  expiresWithinMs?: number;
}

const ENDS_MS = TTL_MS + 2_000 + GRACE_MS + 5_000 + SOON_MS;
const EXPIRES_MS = TTL_MS + 2_000 + SOON_MS;
const silent = { endsWithinMs: ENDS_MS, expiresWithinMs: EXPIRES_MS };

const CASES: Record<string, Case> = {
  "a free Lease, and other claimants that cannot be looked at": {
    endsWithinMs: SOON_MS,
    objects: {
      leases: [leaseObject({})],
      pods: [podObject("gated", "pod-9", { gated: true, gate: "scheduling" })],
      jobs: [jobObject("batch", "job-2"), jobObject("early", "job-3", { suspend: false })],
      leaserequests: [podRequest("unseen", "pod-8", "request-8"), WAITER],
    },
  },
  "a free Lease, and a request that had its hold": {
    endsWithinMs: SOON_MS,
    objects: {
      leases: [leaseObject({ lastRequest: "request-1" })],
      pods: [podObject("run-1", "pod-1")],
      leaserequests: [podRequest("run-1", "pod-1", "request-1"), WAITER],
    },
  },
  "a grant that is not confirmed": {
    endsWithinMs: 10_000 + SOON_MS,
    objects: {
      leases: [leaseObject({ hold: aHold({ confirmed: false }) })],
      pods: [podObject("run-1", "pod-1")],
      leaserequests: [podRequest("run-1", "pod-1", "request-1"), WAITER],
    },
  },
  "an unscheduled pod that has been granted the Lease": {
    endsWithinMs: START_TIMEOUT_MS + SOON_MS,
    objects: {
      leases: [leaseObject({ hold: aHold({ confirmed: false }) })],
      pods: [podObject("run-1", "pod-1", { gated: true, gate: "scheduling" })],
      leaserequests: [granted, WAITER],
    },
  },
  "a silent pod that can fence itself": {
    ...silent,
    objects: {
      leases: [leaseObject({ hold: aHold() })],
      pods: [main({ canFence: true })],
      leaserequests: [granted, WAITER],
    },
  },
  "a silent pod that cannot fence itself": {
    ...silent,
    objects: {
      leases: [leaseObject({ hold: aHold({ ref: cannotFence }) })],
      pods: [main()],
      leaserequests: [granted, WAITER],
    },
  },
  "a silent pod with AfterExpiry": {
    ...silent,
    objects: {
      leases: [leaseObject({ hold: aHold({ ref: cannotFence }) }, { handoverPolicy: "AfterExpiry" })],
      pods: [main()],
      leaserequests: [granted, WAITER],
    },
  },
  "a silent pod that has vanished": {
    ...silent,
    objects: { leases: [leaseObject({ hold: aHold() })], leaserequests: [granted, WAITER] },
  },
  "a pod from which an admin took the Lease": {
    ...silent,
    objects: {
      leases: [
        {
          ...leaseObject({ hold: aHold({ ref: cannotFence }) }),
          metadata: {
            ...leaseObject({}).metadata,
            annotations: {
              [FORCE_RELEASE_ANNOTATION]: JSON.stringify({ token: 41, by: "alice", now: false }),
            },
          },
        },
      ],
      pods: [main()],
      leaserequests: [granted, WAITER],
    },
  },
  "a Job whose pods are silent": {
    ...silent,
    // The arbiter leaves the pods to the Job controller at first, and none runs here.
    endsWithinMs: ENDS_MS + LEFT_TO_JOB_MS,
    objects: {
      leases: [leaseObject({ hold: holdOfJob({ pods: [member("a"), member("b")] }) })],
      jobs: [jobObject("batch", "job-1", { suspend: false })],
      pods: ["a", "b"].map((name) =>
        podObject(name, `uid-of-${name}`, {
          gate: "job",
          isRunning: true,
          job: { name: "batch", uid: "job-1" },
        }),
      ),
      leaserequests: [WAITER],
    },
  },
  "a Job that has vanished with its pods": {
    ...silent,
    objects: { leases: [leaseObject({ hold: holdOfJob({ pods: [member("a")] }) })], leaserequests: [WAITER] },
  },
  "a Job that has to create its pods": {
    endsWithinMs: START_TIMEOUT_MS + SOON_MS,
    objects: {
      leases: [leaseObject({ hold: holdOfJob({ confirmed: false }) })],
      jobs: [jobObject("batch", "job-1")],
      leaserequests: [WAITER],
    },
  },
  "a silent client": {
    ...silent,
    objects: { leases: [leaseObject({ hold: holdOfClient() })], leaserequests: [own(), WAITER] },
  },
  "a client whose request is gone": {
    ...silent,
    objects: { leases: [leaseObject({ hold: holdOfClient() })], leaserequests: [WAITER] },
  },
  "a client that confirmed and has been silent since": {
    ...silent,
    objects: {
      leases: [leaseObject({ hold: holdOfClient({ confirmed: false }) })],
      leaserequests: [requestObject("own", "uid-of-own", { renewTime: microTime(NOW_MS) }), WAITER],
    },
  },
};

const MAIN_LIMITS = new Set(["get leases", "replaceStatus leases"]);

async function play({ objects, endsWithinMs, expiresWithinMs }: Case, fault?: NonNullable<Stage["fault"]>) {
  const stage = stageArbiter({ objects: { nodes: [NODE], ...objects }, ...(fault && { fault }) });
  const { token } = stage.lease().status.hold ?? {};
  const isOver = () => stage.lease().status.hold?.token !== token || token === undefined;
  const isExpired = () => isOver() || stage.lease().status.hold?.expired === true;
  const isServed = () => {
    const { hold } = stage.lease().status;
    return hold?.unreachable === true || (isOver() && hold?.ref.uid === "uid-of-waiter");
  };
  const expiredAfterMs = expiresWithinMs === undefined ? 0 : await stage.until(isExpired, expiresWithinMs);
  const servedAfterMs = expiredAfterMs + (await stage.until(isServed, endsWithinMs - expiredAfterMs));
  const { status } = stage.lease();
  await stage.end();
  return { calls: stage.calls, expiredAfterMs, servedAfterMs, status };
}

describe.each(Object.entries(CASES))("%s", (_, one) => {
  test("is handled in time if any one call is always refused or never answered", async () => {
    const sound = await play(one);
    const others = new Set(sound.calls.filter((what) => !MAIN_LIMITS.has(what)));
    const late: string[] = [];
    for (const broken of ["", ...others]) {
      for (const fate of ["refused", "unanswered"] as const) {
        const { expiredAfterMs, servedAfterMs } = await play(one, (what) =>
          what === broken ? fate : undefined,
        );
        if (expiredAfterMs > (one.expiresWithinMs ?? 0)) late.push(`${broken} ${fate}: expired too late`);
        if (servedAfterMs > one.endsWithinMs) late.push(`${broken} ${fate}: served too late`);
      }
    }
    expect(late).toEqual([]);
  });

  test("is handled in time if all of those calls are", async () => {
    for (const fate of ["refused", "unanswered"] as const) {
      const { expiredAfterMs, servedAfterMs } = await play(one, (what) =>
        MAIN_LIMITS.has(what) ? undefined : fate,
      );
      expect(expiredAfterMs).toBeLessThanOrEqual(one.expiresWithinMs ?? 0);
      expect(servedAfterMs).toBeLessThanOrEqual(one.endsWithinMs);
    }
  });
});

test("a Lease that vanished unseen and pods whose requests are refused cost only a few calls", async () => {
  const stage = stageArbiter({
    objects: {
      leases: [leaseObject({})],
      pods: [1, 2].map((index) =>
        podObject(`gated-${index}`, `pod-${index}`, { gated: true, gate: "scheduling" }),
      ),
      leaserequests: [WAITER],
    },
    fault: (what) => (what === "create leaserequests" ? "refused" : undefined),
  });
  stage.remove("leases", "nightly");
  await stage.until(() => false, 60_000);
  await stage.end();
  expect(stage.calls.length).toBeGreaterThan(10);
  expect(stage.calls.length).toBeLessThan(120);
});

/** A client that holds by a grant that confirmed itself, and has renewed since. Others have asked once, or wait no longer. */
const BESIDE_A_CLIENT = {
  nodes: [NODE],
  leases: [leaseObject({ hold: holdOfClient({ ttlMs: 600_000 }), lastRequest: "uid-of-own" })],
  pods: [podObject("late", "pod-9")],
  leaserequests: [
    requestObject("own", "uid-of-own", { renewTime: microTime(NOW_MS) }),
    requestObject("once", "uid-of-once", { waitUntil: microTime(NOW_MS - 5_000) }),
    requestObject("nightly-late", "uid-of-late", {
      holderRef: { kind: "Pod", name: "late", uid: "pod-9" },
      waitUntil: microTime(NOW_MS - 1_000),
    }),
  ],
};

const isAnswered = (stage: ReturnType<typeof stageArbiter>) => () =>
  stage.requests().filter(({ status }) => status.phase === "Denied").length === 2;

test.each(["refused", "unanswered"] as const)(
  "others are answered while what tells of a client's renewal is always %s, at the cost of a few calls",
  async (fate) => {
    const stage = stageArbiter({
      objects: BESIDE_A_CLIENT,
      fault: (what, name) => (what === "replaceStatus leaserequests" && name === "own" ? fate : undefined),
    });
    expect(await stage.until(isAnswered(stage), 60_000)).toBeLessThanOrEqual(SOON_MS);
    const before = stage.calls.length;
    await stage.until(() => false, 60_000);
    await stage.end();
    expect(stage.calls.length - before).toBeLessThan(60);
  },
);

test("others are answered although a client renews faster than its renewals are written", async () => {
  let renewals = 0;
  const stage = stageArbiter({
    objects: BESIDE_A_CLIENT,
    fault: (what) => {
      if (what !== "replaceStatus leases" || renewals > 2_000) return undefined;
      stage.put(
        "leaserequests",
        requestObject("own", "uid-of-own", { renewTime: microTime(NOW_MS + ++renewals) }),
      );
      return 20;
    },
  });
  expect(await stage.until(isAnswered(stage), 60_000)).toBeLessThanOrEqual(SOON_MS);
  expect(renewals).toBeGreaterThan(10);
  await stage.end();
});

const LET_START_WITHIN_MS = 5_000;

const OWN = "own-request";
const GATED = {
  pods: [podObject("gated", "pod-9", { gated: true, gate: "scheduling" })],
  leaserequests: [podRequest("gated", "pod-9", OWN)],
};
const WAITING_JOB = {
  jobs: [jobObject("batch", "job-1")],
  leaserequests: [
    requestObject("nightly-batch", OWN, { holderRef: { kind: "Job", name: "batch", uid: "job-1" } }),
  ],
};

/** A claimant that came first, and clients that come one after the other. Each is done after a moment, when the next one waits already. */
function stageTurns(objects: Record<string, object[]>, fault: NonNullable<Stage["fault"]>) {
  const clientAt = (index: number) =>
    requestObject(`client-${index}`, `client-${index}`, { requestedAt: microTime(NOW_MS + index) });
  let coming = 1;
  const stage = stageArbiter({
    objects: {
      ...{ nodes: [NODE], leases: [leaseObject({})], ...objects },
      leaserequests: [...(objects["leaserequests"] ?? []), clientAt(0)],
    },
    fault,
  });
  const turns: string[] = [];
  const play = (forMs: number) =>
    stage.until(() => {
      const holder = stage.holder();
      if (holder && holder !== turns.at(-1)) turns.push(holder);
      if (holder && stage.stored("leaserequests", holder)) {
        stage.put("leaserequests", clientAt(coming++));
        stage.withdraw(holder);
      }
      return false;
    }, forMs);
  return { stage, turns, play };
}

const refused = () => "refused" as const;
const unanswered = () => "unanswered" as const;
function invalid(): never {
  throw new KonductorError("Invalid", "somebody's policy");
}

test.each<[string, () => "refused" | "unanswered", string, Record<string, object[]>, string]>([
  ["pod's gate cannot be removed: refused", refused, "pod-9", GATED, "patch pods"],
  ["pod's gate cannot be removed: unanswered", unanswered, "pod-9", GATED, "patch pods"],
  ["pod's gate cannot be removed: invalid", invalid, "pod-9", GATED, "patch pods"],
  ["Job cannot be resumed: refused", refused, "job-1", WAITING_JOB, "patch jobs"],
  ["Job cannot be resumed: unanswered", unanswered, "job-1", WAITING_JOB, "patch jobs"],
])("others are served a few seconds after a grant if a %s", async (_, fate, uid, objects, call) => {
  const { stage, turns, play } = stageTurns(objects, (what) => (what === call ? fate() : undefined));
  await play(LET_START_WITHIN_MS - 1_000);
  expect(turns).toEqual([uid]);
  await play(60_000);
  expect(turns[1]).toBe("client-0");
  expect(turns.filter((turn) => turn === uid).length).toBeLessThanOrEqual(3);
  expect(turns.length).toBeGreaterThan(35);
  expect(stage.requests().map((request) => request.uid)).toContain(OWN);
  await stage.end();
});

test.each<[string, string, Record<string, object[]>, string]>([
  ["a pod's gate", "pod-9", GATED, "patch pods"],
  ["a Job's suspension", "job-1", WAITING_JOB, "patch jobs"],
])(
  "once %s can be taken away, it has its place again before those who came later",
  async (_, uid, objects, call) => {
    let isBroken = true;
    const { stage, turns, play } = stageTurns(objects, (what) =>
      isBroken && what === call ? "refused" : undefined,
    );
    await play(20_000);
    isBroken = false;
    turns.length = 0;
    await play(30_000);
    expect(turns.at(-1)).toBe(uid);
    expect(turns.length).toBeGreaterThan(5);
    expect(stage.requests().find((request) => request.uid === OWN)?.status.phase).toBe("Granted");
    await stage.end();
  },
);

test("a pod whose gate is gone, though the answer was lost and the cache is behind, keeps its grant", async () => {
  const stage = stageArbiter({
    objects: {
      ...{ nodes: [NODE], leases: [leaseObject({})] },
      pods: GATED.pods,
      leaserequests: [...GATED.leaserequests, WAITER],
    },
    stalled: ["pods"],
    fault: (what) => (what === "patch pods" ? 600_000 : undefined),
  });
  await stage.until(() => false, START_TIMEOUT_MS - SOON_MS);
  expect(stage.holder()).toBe("pod-9");
  await stage.end();
});
