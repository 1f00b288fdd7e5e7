/** What a skip does when somebody writes in between. The rest of it is shown by test/e2e/scenarios/skipping.ts. */
import { expect, test } from "vitest";
import { createSkips } from "../../../src/controller/skips.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aRequest, held, NOW_MS } from "../lease/samples.ts";
import { createPod, statusOf } from "../lease/world/pod.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

const job = { name: "nightly-2", uid: "job-2" };
const lease = held();
const pod: PodView = {
  ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })),
  name: "nightly-2-a",
  uid: "pod-of-2",
  job,
  annotations: { [ANNOTATION.ifHeld]: "skip" },
};
const denied = aRequest({
  name: "request-of-2",
  spec: { ref: { kind: "Pod", name: pod.name, uid: pod.uid } },
  status: { phase: "Denied", reason: "Skipped" },
});

const situation: Situation = {
  lease,
  requests: [denied],
  evidenceOf: () => ({ is: "present", pod }),
  isRequestGone: () => false,
  isNodeReady: () => true,
  unrecordedHolders: 0,
  timers: { heldForMs: 0, silentForMs: 0, expiredForMs: 0, endingForMs: 0, idleForMs: 0 },
  wishes: { startTimeoutMs: 600_000, continueOnLoss: false },
  nowMs: NOW_MS,
};

test("a skip is counted though renewals come in between, and once", async () => {
  let skipped = 4;
  let isOver = false;
  let renewalsToCome = 3;
  const { client } = recordedClient(({ what, sent }) => {
    switch (what) {
      case "get leases":
        return {
          metadata: { namespace: lease.namespace, name: lease.name, uid: lease.uid, resourceVersion: "9" },
          status: formatLeaseStatus(lease, { ...lease.status, skipped }, NOW_MS),
        };
      case "get jobs":
        return {
          metadata: { uid: job.uid },
          status: { conditions: isOver ? [{ type: "SuccessCriteriaMet", status: "True" }] : [] },
        };
      case "patch jobs":
        isOver = true;
        return sent;
      case "replaceStatus leases":
        if (renewalsToCome-- > 0) throw new KonductorError("Conflict", "renewed meanwhile");
        skipped = Number(record(record(sent)["status"])["skipped"]);
        return sent;
      default:
        throw new Error(`unexpected: ${what}`);
    }
  });
  const caches = {
    pods: fedReflector<PodView>({ lease: () => undefined }),
    requests: fedReflector<LeaseRequest>(),
    leases: fedReflector<Lease>(),
  };
  const told: string[] = [];
  const events = { record: ({ reason }: { reason: string }) => told.push(reason) };
  const skips = createSkips({ client, caches, events, clock: turnedClock(NOW_MS) });
  await skips.skip(situation);
  await skips.skip(situation);
  expect(skipped).toBe(5);
  expect(told).toEqual(["LeaseHeld", "Skipped"]);
});
