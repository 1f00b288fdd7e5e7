/** A Job that holds has so many pods that looking at them one by one would take longer than a look counts as fresh. */
import { expect, test } from "vitest";
import { aHold } from "../lease/samples.ts";
import { jobObject, leaseObject, podObject, requestObject } from "./objects.ts";
import { type Fault, stageArbiter } from "./staged-arbiter.ts";

const JOB = { name: "batch", uid: "job-1" };
const PODS = 200;
const LATE_MS = 250;
/** ttl, the looks, and a margin. */
const SERVED_WITHIN_MS = 90_000;

const names = Array.from({ length: PODS }, (_, index) => `pod-${index}`);
const member = (name: string) => ({
  ...{ kind: "Pod" as const, name, uid: `uid-of-${name}`, node: "node-1" },
  ...{ graceSeconds: 30, selfFencing: true, releasing: false },
});

test.each<[string, Fault]>([
  ["each call takes a while", (what) => (/ (pods|nodes)$/.test(what) ? LATE_MS : undefined)],
  ["the list is slow", (what) => (what === "list pods" ? 2_500 : what === "get pods" ? LATE_MS : undefined)],
  ["the list is refused", (what) => (what === "list pods" ? "refused" : undefined)],
])("the hold of a silent Job ends, however many pods it has: %s", { timeout: 60_000 }, async (_, fault) => {
  const hold = aHold({ holder: JOB.name, ref: { kind: "Job", ...JOB }, pods: names.map(member) });
  const stage = stageArbiter({
    objects: {
      nodes: [{ metadata: { name: "node-1", uid: "n" } }],
      leases: [leaseObject({ hold })],
      jobs: [jobObject(JOB.name, JOB.uid, { suspend: false })],
      pods: names.map((name) =>
        podObject(name, `uid-of-${name}`, { gate: "job", isRunning: true, canFence: true, job: JOB }),
      ),
      leaserequests: [requestObject("waiter", "uid-of-waiter")],
    },
    fault,
  });
  const isServed = () => stage.holder() === "uid-of-waiter";
  expect(await stage.until(isServed, SERVED_WITHIN_MS)).toBeLessThan(SERVED_WITHIN_MS);
  await stage.end();
});
