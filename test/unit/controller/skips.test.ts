/** What a skip rests on, and what it does when somebody writes in between. The rest is shown by test/e2e/scenarios/skipping.ts. */
import { expect, test } from "vitest";
import { createSkips } from "../../../src/controller/skips.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest, held, NOW_MS, situationOf } from "../lease/samples.ts";
import { createPod, statusOf } from "../lease/world/pod.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

interface Stage {
  lease?: Lease;
  annotations: PodView["annotations"];
  request?: LeaseRequest["status"];
  /** How often somebody renews between our read and our write. */
  renewals?: number;
}

/** A pod of a CronJob's Job that waits for `lease`, which has skipped four Jobs before. */
function stage({ lease = held(), annotations, request = { phase: "Pending" }, renewals = 0 }: Stage) {
  const job = { name: "nightly-2", uid: "job-2" };
  const pod: PodView = {
    ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })),
    ...{ name: "nightly-2-a", uid: "pod-of-2", job, annotations },
  };
  const seen = { skipped: 4, isOver: false, told: [] as string[] };
  let renewalsToCome = renewals;
  const { client } = recordedClient(({ what, sent }) => {
    const { resourceVersion, namespace, name, uid } = lease;
    switch (what) {
      case "get leases":
        return {
          metadata: { namespace, name, uid, resourceVersion },
          status: formatLeaseStatus(lease, { ...lease.status, skipped: seen.skipped }, NOW_MS),
        };
      case "get jobs":
        return {
          metadata: { uid: job.uid, ownerReferences: [{ kind: "CronJob", uid: "nightly" }] },
          status: { conditions: seen.isOver ? [{ type: "SuccessCriteriaMet", status: "True" }] : [] },
        };
      case "patch jobs":
        seen.isOver = true;
        return sent;
      case "replaceStatus leases":
        if (renewalsToCome-- > 0) throw new KonductorError("Conflict", "renewed meanwhile");
        seen.skipped = Number(record(record(sent)["status"])["skipped"]);
        return sent;
      case "replaceStatus leaserequests":
        return sent;
      default:
        throw new Error(`unexpected: ${what}`);
    }
  });
  const situation = situationOf(lease, {
    requests: [aRequest({ spec: { ref: { kind: "Pod", name: pod.name, uid: pod.uid } }, status: request })],
    evidenceOf: () => ({ is: "present", pod }),
  });
  const caches = {
    pods: fedReflector<PodView>({ lease: () => undefined }),
    requests: fedReflector<LeaseRequest>(),
    leases: fedReflector<Lease>(),
  };
  const events = {
    record: ({ reason, message }: { reason: string; message: string }) =>
      seen.told.push(`${reason}: ${message}`),
  };
  const skips = createSkips({ client, caches, events, clock: turnedClock(NOW_MS) });
  return { seen, skip: () => skips.skip(situation) };
}

test("a skip is counted though renewals come in between, and once", async () => {
  const { seen, skip } = stage({
    annotations: { [ANNOTATION.ifHeld]: "skip" },
    request: { phase: "Denied", reason: "Skipped" },
    renewals: 3,
  });
  await skip();
  await skip();
  expect(seen).toEqual({
    skipped: 5,
    isOver: true,
    told: [
      "LeaseHeld: skipped: klease nightly is held by run-1",
      "Skipped: Job nightly-2 was skipped: klease nightly is held by run-1",
    ],
  });
});

const waiting = (most: string) => ({ [ANNOTATION.maxWaiting]: most });

test("where no run of a CronJob may wait, the first that would have to is skipped", async () => {
  const { seen, skip } = stage({ annotations: waiting("0") });
  await skip();
  expect(seen).toMatchObject({ skipped: 5, isOver: true });
  expect(seen.told[0]).toBe(
    "LeaseHeld: skipped: klease nightly is held by run-1, and no run of its CronJob may wait",
  );
});

test.each<[string, Stage]>([
  ["one that may wait", { annotations: waiting("1") }],
  ["one for which nobody is in the way", { lease: aLease(), annotations: waiting("0") }],
])("%s is not skipped", async (_, options) => {
  const { seen, skip } = stage(options);
  await skip();
  expect(seen).toEqual({ skipped: 4, isOver: false, told: [] });
});
