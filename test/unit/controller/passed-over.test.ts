/** A request whose grant was not confirmed is passed over until its gate asks again, even if that could not be written at first. */
import { expect, test } from "vitest";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const REFUSED_UNTIL_MS = NOW_MS + 12_000;
const SOON_MS = 5_000;

test("a mark that was refused is written later, so that the request is served at once when its gate asks", async () => {
  const ref = { kind: "Pod", name: "run-1", uid: "pod-1" };
  const request = requestObject("nightly-run-1", "request-1", { holderRef: ref });
  const stage = stageArbiter({
    objects: {
      leases: [leaseObject({ hold: aHold({ confirmed: false }) })],
      pods: [podObject("run-1", "pod-1")],
      leaserequests: [request],
    },
    fault: (what) =>
      what === "replaceStatus leaserequests" && stage.clock.nowMs() < REFUSED_UNTIL_MS
        ? "refused"
        : undefined,
  });
  const isMarked = () => stage.requests().some(({ status }) => status.reason === "NotConfirmed");
  await stage.until(() => stage.holder() === undefined, 15_000);
  expect(stage.holder()).toBeUndefined();
  expect(isMarked()).toBe(false);
  await stage.until(isMarked, REFUSED_UNTIL_MS - stage.clock.nowMs() + SOON_MS);
  expect(isMarked()).toBe(true);
  // The pod's gate asks again.
  stage.put("leaserequests", { ...request, status: { phase: "Pending" } });
  await stage.until(() => stage.holder() === "pod-1", SOON_MS);
  expect(stage.holder()).toBe("pod-1");
  await stage.end();
});

test("a request that cannot be marked is not turned away when a live look decides about a newcomer", async () => {
  const ref = { kind: "Pod", name: "run-1", uid: "pod-1" };
  let isRefused = true;
  const stage = stageArbiter({
    objects: {
      leases: [leaseObject({ hold: aHold({ confirmed: false }) }, { maxWaiting: 0 })],
      pods: [podObject("run-1", "pod-1")],
      leaserequests: [requestObject("nightly-run-1", "request-1", { holderRef: ref })],
    },
    fault: (what, name) =>
      isRefused && what === "replaceStatus leaserequests" && name === "nightly-run-1" ? "refused" : undefined,
  });
  const statusOf = (name: string) => stage.requests().find((request) => request.name === name)?.status;
  await stage.until(() => stage.holder() === undefined, 15_000);
  stage.put("leaserequests", requestObject("next", "uid-of-next"));
  await stage.until(() => stage.holder() === "uid-of-next", SOON_MS);
  expect(stage.holder()).toBe("uid-of-next");
  isRefused = false;
  stage.put("leaserequests", requestObject("late", "uid-of-late"));
  await stage.until(() => statusOf("late")?.phase === "Denied", SOON_MS);
  expect(statusOf("late")).toMatchObject({ phase: "Denied", reason: "QueueFull" });
  expect(statusOf("nightly-run-1")).toMatchObject({ phase: "Pending" });
  await stage.end();
});
