/** What `kubectl describe` of a pod or Job that takes turns tells its user. */
import { describe, expect, test } from "vitest";
import type { Hold, Lease } from "../../../src/lease/types.ts";
import {
  fencedEvent,
  skippedEvent,
  timedOutEvent,
  waitingEvent,
} from "../../../src/objects/claimant-events.ts";
import { aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";

const ref = { kind: "Pod", name: "p", uid: "pod-p" } as const;
const PAUSED = { paused: true, pauseReason: "repairs" } as const;
const PLACE = { position: 2, of: 5 };
const POD = { namespace: "ns", name: "p", uid: "pod-p" };

describe("who waits is told what is in the way", () => {
  const SINCE = "held by run-1 since 2026-01-01T00:09:50Z";
  const SEE = "see kubectl describe klease nightly";
  test.each<[string, Lease, string]>([
    ["a holder that renews", held(), `${SINCE}, expires 2026-01-01T00:10:55Z unless renewed; ${SEE}`],
    [
      "a silent holder",
      held({ expired: true }),
      `${SINCE}, which is silent and has to be stopped first; ${SEE}`,
    ],
    [
      "a holder of which nothing proves that it has stopped",
      held({ expired: true, unreachable: true }),
      `${SINCE}, and nothing proves that it has stopped: somebody must act, ${SEE}`,
    ],
    ["nobody", aLease(), `held by nobody yet; ${SEE}`],
    [
      "a deleted klease's holder",
      aLease({ awaited: "nothing proves the end of p" }),
      `nothing proves the end of p; ${SEE}`,
    ],
  ])("%s", (_, lease, obstacle) => {
    expect(waitingEvent(aRequest({ spec: { ref } }), lease, PLACE, "0", NOW_MS)).toMatchObject({
      type: "Normal",
      reason: "Waiting",
      message: `waiting for klease nightly since 2026-01-01T00:10:00Z: position 2 of 5, ${obstacle}`,
    });
  });

  test("its own gate that has not answered a grant", () => {
    const request = aRequest({ spec: { ref }, status: { phase: "Pending", reason: "NotConfirmed" } });
    expect(waitingEvent(request, held(), PLACE, "0", NOW_MS)?.message).toContain(
      "passed over until the pod's gate answers; look at the log of container konductor-gate, or of konductor if the pod has no node",
    );
  });

  test("and when its turn probably comes, if that is known and the place is near", () => {
    const tellAt = (position: number, hold: Partial<Hold>, holdSeconds = [300, 300, 300, 300, 300]) => {
      const lease = held(hold);
      const known = { ...lease, status: { ...lease.status, holdSeconds } };
      return waitingEvent(aRequest({ spec: { ref } }), known, { position, of: 50 }, "0", NOW_MS)?.message;
    };
    expect(tellAt(2, {})).toContain(`unless renewed, its turn probably comes in 9m; ${SEE}`);
    expect(tellAt(20, {})).toContain("its turn");
    for (const message of [tellAt(21, {}), tellAt(2, { expired: true }), tellAt(2, {}, [300])])
      expect(message).not.toContain("its turn");
  });

  test("and that the klease is paused, whether somebody holds it or nobody", () => {
    const told = (lease: Lease) =>
      waitingEvent(aRequest({ spec: { ref } }), lease, PLACE, "0", NOW_MS).message;
    expect(told(aLease({}, PAUSED))).toContain(`, paused ("repairs"); ${SEE}`);
    expect(told(held({}, PAUSED))).toMatch(/, held by run-1 since .+, and paused \("repairs"\); see/);
  });

  test.each<[string, string, object]>([
    ["Pod", "v1", { ref }],
    ["Job", "batch/v1", { ref: { ...ref, kind: "Job" } }],
    ["LeaseRequest", "konductor.io/v1", {}],
  ])("on its %s", (kind, apiVersion, spec) => {
    const request = aRequest({ name: "p", uid: "pod-p", spec });
    const { object } = waitingEvent(request, held(), PLACE, "0", NOW_MS);
    expect(object).toEqual({ apiVersion, kind, ...POD });
  });
});

test.each<[Lease | undefined, string]>([
  [held(), "held by run-1 since 2026-01-01T00:09:50.000Z"],
  [held({}, PAUSED), 'held by run-1 since 2026-01-01T00:09:50.000Z, and it is paused ("repairs")'],
  [aLease({}, PAUSED), 'nobody holds it now, and it is paused ("repairs")'],
  [aLease(), "nobody holds it now"],
  [undefined, "nobody holds it now"],
])("a pod whose time is over is told how the klease stands: %#", (lease, standing) => {
  const request = aRequest({ spec: { ref, waitUntilMs: NOW_MS + 90_000 } });
  expect(timedOutEvent(request, lease, NOW_MS)).toMatchObject({
    ...{ type: "Warning", reason: "TimedOut" },
    message: expect.stringContaining(`for 1m30s, its konductor.io/wait-timeout, in vain: ${standing}.`),
  });
});

test.each<[boolean, string]>([
  [true, "The pod waits for it again."],
  [false, "The pod fails, because its restartPolicy is Never."],
])("a pod that was fenced is told what follows, and where to look: it runs again: %s", (runsAgain, next) => {
  expect(fencedEvent(POD, { lease: "nightly", token: 41, runsAgain })).toEqual({
    object: { apiVersion: "v1", kind: "Pod", ...POD },
    type: "Warning",
    reason: "Fenced",
    message:
      `lost klease nightly (token 41), which could not be renewed; the pod's containers were stopped. ${next} ` +
      "See kubectl logs p -c konductor-keeper --previous",
    once: "41",
    isUrgent: true,
  });
});

test("a Job that was skipped is told why", () => {
  expect(skippedEvent(POD, "klease nightly is held by run-1")).toMatchObject({
    object: { apiVersion: "batch/v1", kind: "Job", ...POD },
    ...{ type: "Normal", reason: "Skipped" },
    message: "marked Complete without having run: klease nightly is held by run-1",
  });
});
