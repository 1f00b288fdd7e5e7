/** A pod that vanished while its kubelet was stopping it: how far its keeper's announcement counts. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { Decision } from "../../../src/lease/decision.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import { isMarkedReleasing, markReleasing } from "../../../src/lease/hold.ts";
import { renewHold } from "../../../src/lease/hold-renewal.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { Hold, HolderPod, HolderRef, Lease } from "../../../src/lease/types.ts";
import { ENV, GATE_CONTAINER, KEEPER_CONTAINER, passMessage } from "../../../src/shared/names.ts";
import { aHold, aRequest, held, JUST_NOW, NOW_MS, situationOf } from "./samples.ts";

const GRACE_SECONDS = 30;
/** 30 s of grace, 5 s that the kubelet may need beyond, and 2 s by which a Date may be wrong. */
const OVER_AFTER_MS = 37_000;

const STOPPING: HolderRef = {
  ...aHold().ref,
  graceSeconds: GRACE_SECONDS,
  stoppingSinceMs: NOW_MS - 1_000,
};

function podView(
  metadata: object,
  keeper: object = { running: { startedAt: "2026-01-01T00:00:05Z" } },
): PodView {
  return parsePod({
    metadata: {
      namespace: "ns",
      name: "run-1",
      uid: "pod-1",
      labels: { "konductor.io/lease": "nightly" },
      ...metadata,
    },
    spec: {
      nodeName: "node-1",
      terminationGracePeriodSeconds: GRACE_SECONDS,
      initContainers: [
        { name: GATE_CONTAINER },
        {
          name: KEEPER_CONTAINER,
          restartPolicy: "Always",
          restartPolicyRules: [{}],
          env: [{ name: ENV.stopMs, value: "5000" }],
        },
      ],
      containers: [{ name: "main" }],
    },
    status: {
      phase: "Running",
      initContainerStatuses: [
        { name: GATE_CONTAINER, state: { terminated: { exitCode: 0, message: passMessage(41) } } },
        { name: KEEPER_CONTAINER, state: keeper },
      ],
    },
  });
}

const gone = (last?: PodView): Evidence => ({
  is: "gone",
  isFinal: last !== undefined,
  nodeOutOfService: false,
  ...(last && { last }),
});

const waiter = aRequest({
  name: "next",
  spec: { holder: "next", ref: { kind: "Pod", name: "next", uid: "pod-2" } },
});

interface Case {
  hold?: Partial<Hold>;
  spec?: Partial<Lease["spec"]>;
  forMs?: number | undefined;
  evidence?: Evidence;
}

function decideOn({ hold, spec, evidence = gone(podView({})), ...word }: Case): Decision {
  const { forMs } = { forMs: OVER_AFTER_MS, ...word };
  const lease = held({ ref: STOPPING, releasing: true, ...hold }, spec);
  return decide(
    situationOf(lease, {
      requests: [waiter],
      evidenceOf: ({ uid }) =>
        uid === "pod-1" ? evidence : { is: "present", pod: podView({ uid: "pod-2" }) },
      stoppingForMs: () => forMs,
    }),
  );
}

const granted = { do: "write", why: "Granted", granted: waiter };

describe("the next request is granted when the grace period of a vanished pod is over", () => {
  test("and not earlier", () => {
    expect(decideOn({ forMs: OVER_AFTER_MS - 1 })).toEqual({ do: "wait", forMs: 1 });
    const next = decideOn({});
    expect(next).toMatchObject(granted);
    expect(next).toMatchObject({ status: { history: [{ holder: "run-1", reason: "Released" }] } });
  });

  test.each<[string, Case]>([
    ["which was never seen", { evidence: gone() }],
    ["whose keeper was last seen waiting to start", { evidence: gone(podView({}, { waiting: {} })) }],
    [
      "which cannot fence itself, with AfterExpiry",
      { hold: { ref: { ...STOPPING, selfFencing: false } }, spec: { handoverPolicy: "AfterExpiry" } },
    ],
    ["whose hold has expired meanwhile", { hold: { expired: true } }],
    ["whose renewals are refused", { hold: { revoked: "NotStarted" } }],
  ])("%s", (_what, input) => {
    expect(decideOn(input)).toMatchObject(granted);
  });

  test("which is the deletion's grace period, if that is longer", () => {
    const last = podView({ deletionTimestamp: "2026-01-01T00:10:00Z", deletionGracePeriodSeconds: 90 });
    expect(decideOn({ evidence: gone(last) })).toEqual({
      do: "wait",
      forMs: 60_000,
    });
    expect(decideOn({ evidence: gone(last), forMs: OVER_AFTER_MS + 60_000 })).toMatchObject(granted);
  });

  test("within 10 s where the grace period is 0", () => {
    const ref = { ...STOPPING, graceSeconds: 0 };
    const last = podView({});
    expect(decideOn({ hold: { ref }, evidence: gone(last), forMs: 7_000 })).toMatchObject(granted);
    // The kubelet allows 1 s, and 2 s more for each container whose hook or turn has used that up.
    expect(decideOn({ hold: { ref }, evidence: gone(last), forMs: 4_000 })).toMatchObject({ do: "wait" });
  });

  test("although the rule for expired holds would wait longer", () => {
    const input = { hold: { expired: true }, forMs: OVER_AFTER_MS - 2_000 };
    expect(decideOn(input)).toEqual({ do: "wait", forMs: 2_000 });
  });
});

describe("a hold is not ended by time", () => {
  test.each<[string, Case]>([
    ["while the keeper has not announced that it is stopping", { forMs: undefined }],
    [
      "while the pod object exists, since its kubelet will still write its status",
      { evidence: { is: "present", pod: podView({}) } },
    ],
    ["where the pod cannot fence itself", { hold: { ref: { ...STOPPING, selfFencing: false } } }],
    ["with AfterTermination, which asks for proof", { spec: { handoverPolicy: "AfterTermination" } }],
    ["where the keeper was last seen down", { evidence: gone(podView({}, { terminated: { exitCode: 1 } })) }],
    ["once the Lease says that somebody must act", { hold: { expired: true, unreachable: true } }],
  ])("%s", (_what, input) => {
    expect(decideOn({ forMs: 3_600_000, ...input }).do).not.toBe("write");
  });

  test("before a live GET has shown that the pod is gone", () => {
    expect(decideOn({ evidence: { is: "unknown" } })).toMatchObject({ do: "look" });
  });
});

test("a vanished pod that fenced itself may still have been given its grace period by its kubelet", () => {
  const lease = held({ expired: true, ref: { ...aHold().ref, graceSeconds: GRACE_SECONDS } });
  const decideAfter = (expiredForMs: number) =>
    decide(
      situationOf(lease, {
        requests: [waiter],
        evidenceOf: ({ uid }) =>
          uid === "pod-1" ? gone(podView({})) : { is: "present", pod: podView({ uid: "pod-2" }) },
        timers: { ...JUST_NOW, silentForMs: 1_000_000, expiredForMs, endingForMs: expiredForMs },
      }),
    );
  expect(decideAfter(34_000)).toEqual({ do: "wait", forMs: 1_000 });
  expect(decideAfter(35_000)).toMatchObject(granted);
});

describe("a keeper's announcement that it is stopping", () => {
  const { status } = held();

  test("keeps the time of its first message", () => {
    const once = markReleasing(status, { uid: "pod-1" }, NOW_MS, { sinceMs: NOW_MS, graceSeconds: 10 });
    expect(once.hold).toMatchObject({ releasing: true, ref: { stoppingSinceMs: NOW_MS, graceSeconds: 30 } });
    const twice = markReleasing(once, { uid: "pod-1" }, NOW_MS, {
      sinceMs: NOW_MS + 5_000,
      graceSeconds: 60,
    });
    expect(twice.hold?.ref).toMatchObject({ stoppingSinceMs: NOW_MS, graceSeconds: 60 });
  });

  test("that came before the pod's deletion is followed by one that counts", () => {
    const { hold } = markReleasing(status, { uid: "pod-1" }, NOW_MS);
    expect(hold?.ref.stoppingSinceMs).toBeUndefined();
    const stopping = { sinceMs: NOW_MS, graceSeconds: 30 };
    expect(hold && isMarkedReleasing(hold, { uid: "pod-1" })).toBe(true);
    expect(hold && isMarkedReleasing(hold, { uid: "pod-1" }, stopping)).toBe(false);
  });

  test("is taken back by a renewal, since the keeper runs on", () => {
    const lease = held({ ref: STOPPING, releasing: true });
    const renewal = { uid: "pod-1", token: 41, countedTtlMs: 60_000, wantedTtlMs: 60_000, renew: true };
    const renewed = renewHold(lease, renewal, NOW_MS);
    expect(renewed.ok && renewed.hold).toMatchObject({ releasing: false });
    expect(renewed.ok && renewed.hold.ref).not.toHaveProperty("stoppingSinceMs");
  });
});

describe("a pod that shares its Job's hold", () => {
  const job = { kind: "Job", name: "batch", uid: "job-1" } as const;
  const member = (uid: string, change: Partial<HolderPod> = {}): HolderPod => ({
    ...{ kind: "Pod", name: uid, uid, graceSeconds: GRACE_SECONDS, selfFencing: true, releasing: false },
    ...change,
  });
  const stopped = member("pod-1", { stoppingSinceMs: NOW_MS - OVER_AFTER_MS });

  function decideOnJob(pods: HolderPod[], forMs: number, known: Evidence = gone()): Decision {
    return decide(
      situationOf(held({ ref: job, pods }), {
        requests: [waiter],
        evidenceOf({ kind, uid }) {
          if (kind === "Job") return known;
          return uid === "pod-1" ? gone() : { is: "present", pod: podView({ uid }) };
        },
        stoppingForMs: ({ uid }) => (uid === "pod-1" ? forMs : undefined),
      }),
    );
  }

  test("leaves the list when its own time is over, and the others hold on", () => {
    const other = member("pod-3");
    expect(decideOnJob([stopped, other], OVER_AFTER_MS - 1)).toEqual({ do: "wait", forMs: 1 });
    expect(decideOnJob([stopped, other], OVER_AFTER_MS)).toMatchObject({
      why: "PodEnded",
      status: { hold: { pods: [{ uid: "pod-3" }] } },
    });
  });

  test("frees the Lease if it was the last pod of a deleted Job", () => {
    const next = decideOnJob([stopped], OVER_AFTER_MS);
    expect(next).toMatchObject({ why: "Granted", status: { history: [{ reason: "Released" }] } });
  });

  test("has an announcement of its own", () => {
    const { status } = held({ ref: job, pods: [member("pod-1"), member("pod-3")] });
    const marked = markReleasing(status, { uid: "pod-3" }, NOW_MS, { sinceMs: NOW_MS, graceSeconds: 60 });
    expect(marked.hold?.pods).toEqual([
      member("pod-1"),
      { ...member("pod-3"), releasing: true, stoppingSinceMs: NOW_MS, graceSeconds: 60 },
    ]);
  });
});
