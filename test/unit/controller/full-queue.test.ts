/** Who is turned away from a Lease with a maxWaiting. The rest is in test/unit/lease/policies.test.ts. */
import { expect, test } from "vitest";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { leaseObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const SOON_MS = 5_000;
const waiter = (name: string, agoMs: number, status: object = {}) =>
  requestObject(name, `uid-of-${name}`, { requestedAt: microTime(NOW_MS - agoMs) }, status);

test.each<[string, string | undefined, object]>([
  ["waits", undefined, { phase: "Denied", reason: "QueueFull" }],
  ["was deleted", "deleted", { phase: "Pending", mayWait: true }],
  ["was denied", "denied", { phase: "Pending", mayWait: true }],
])(
  "a newcomer is turned away only if whoever waits before it still does, whatever the cache shows: it %s",
  async (_, change, expected) => {
    const ref = { kind: "LeaseRequest", name: "holds", uid: "uid-of-holds" } as const;
    const hold = aHold({ holder: "ci", ref });
    const first = waiter("first", 9_000, { mayWait: true });
    const holds = requestObject("holds", ref.uid, {}, { phase: "Granted", token: hold.token });
    const stage = stageArbiter({
      objects: {
        leases: [leaseObject({ hold, lastToken: hold.token }, { maxWaiting: 1 })],
        leaserequests: [holds, first, waiter("second", 1_000)],
      },
      stalled: ["leaserequests"],
    });
    if (change === "deleted") stage.remove("leaserequests", "first");
    if (change === "denied") stage.put("leaserequests", { ...first, status: { phase: "Denied" } });
    const second = () => stage.requests().find(({ name }) => name === "second");
    await stage.until(
      () => second()?.status.phase === "Denied" || second()?.status.mayWait === true,
      SOON_MS,
    );
    expect(second()?.status).toMatchObject(expected);
    await stage.end();
  },
);
