/** A pod whose grant was taken back keeps its place, even at a replica whose cache of kleases is behind. */
import { expect, test } from "vitest";
import { requestName } from "../../../src/lease/naming.ts";
import { LEASE_LABEL, PATH } from "../../../src/shared/names.ts";
import { storedApi } from "./stored-api.ts";

const ME = { kind: "Pod", name: "me", uid: "me" };

/** Klease a/report, held by `pod`. */
function leaseHeldBy(pod: string, resourceVersion: string, status: object): object {
  return {
    metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion },
    spec: { ttl: "10m" },
    status: {
      phase: "Held",
      holder: pod,
      holderRef: { kind: "Pod", name: pod, uid: pod },
      acquired: "2026-01-01T00:00:00Z",
      expires: "2026-01-01T00:10:00Z",
      ...status,
    },
  };
}

const POD = {
  metadata: { namespace: "a", name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" } },
  spec: {},
  status: { phase: "Pending" },
};

const REQUEST = {
  metadata: {
    ...{ namespace: "a", name: requestName("report", { kind: "Pod", uid: "me" }) },
    ...{ uid: "request-me", resourceVersion: "7" },
  },
  spec: { lease: "report", holder: "me", holderRef: ME, requestedAt: "2025-12-31T23:00:00Z" },
  status: { phase: "Pending", reason: "NotConfirmed" },
};

test("its request waits again after a late confirmation has left its trace", async () => {
  const history = [{ holder: "me", token: 42, reason: "NotConfirmed" }];
  const { post, writes, requestStatus } = storedApi({
    lease: leaseHeldBy("next", "9", {
      fencingToken: 43,
      requestUID: "request-next",
      confirmed: true,
      history,
    }),
    pod: POD,
    request: { ...REQUEST, status: { phase: "Granted", fencingToken: 42 } },
  });
  expect(await post(PATH.acquire, { lease: "report", gateRun: "b/100" })).toMatchObject({ state: "waiting" });
  expect(writes()).not.toContain("delete leaserequests");
  expect(requestStatus()).toMatchObject({ phase: "Pending" });
});

test("its request keeps waiting while the cache still shows that it was granted last", async () => {
  const { post, writes, requestStatus } = storedApi({
    lease: leaseHeldBy("next", "9", { fencingToken: 43, requestUID: "request-next", confirmed: true }),
    cachedLease: leaseHeldBy("me", "5", { fencingToken: 42, requestUID: "request-me", confirmed: false }),
    pod: POD,
    request: REQUEST,
  });
  expect(await post(PATH.acquire, { lease: "report", gateRun: "b/100" })).toMatchObject({ state: "waiting" });
  expect(writes()).not.toContain("delete leaserequests");
  expect(requestStatus()).toMatchObject({ phase: "Pending" });
});

test("its gate learns that another request has its name and is stuck in deletion", async () => {
  const { metadata, spec } = REQUEST;
  const { post } = storedApi({
    lease: leaseHeldBy("next", "9", { fencingToken: 43, requestUID: "request-next", confirmed: true }),
    pod: POD,
    request: {
      metadata: { ...metadata, finalizers: ["example.com/mine"] },
      spec: { ...spec, holderRef: undefined, holder: "mallory" },
      status: { phase: "Pending" },
    },
  });
  expect(await post(PATH.acquire, { lease: "report", gateRun: "b/100" })).toMatchObject({
    reason: "NotReady",
    message: expect.stringMatching(
      /^LeaseRequest a\/report-\w+ is stuck in deletion; check its metadata.finalizers/,
    ),
  });
});
