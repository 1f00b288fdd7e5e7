/** What a replica answers while its caches are behind, since it concludes nothing from what they do not show. */
import { expect, test } from "vitest";
import {
  ANNOTATION,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  PATH,
} from "../../../src/shared/names.ts";
import { storedApi } from "./stored-api.ts";

const TOKEN = 42;
const refTo = (pod: string) => ({ kind: "Pod", name: pod, uid: pod });

const leaseHeldBy = (holder: string, status: object) => ({
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: "1" },
  spec: { ttl: "10m" },
  status: { phase: "Held", holder, holderRef: refTo(holder), acquired: "1970-01-01T00:00:00Z", ...status },
});

const podWith = (annotations: object) => ({
  metadata: { namespace: "a", name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" }, annotations },
  spec: {
    initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
    containers: [{ name: "main" }],
  },
  status: { phase: "Running", initContainerStatuses: [{ name: GATE_CONTAINER, state: { running: {} } }] },
});

test.each([
  ["a longer max-hold", { [ANNOTATION.maxHold]: "10m" }, { [ANNOTATION.maxHold]: "1h" }],
  ["that its hold may now be renewed", { [ANNOTATION.renew]: "false" }, {}],
])("a keeper is renewed although the cache does not show %s", async (_what, cached, live) => {
  const { post, hold } = storedApi({
    lease: leaseHeldBy("me", { fencingToken: TOKEN, confirmed: true, renewals: 1 }),
    pod: podWith(live),
    cachedPod: podWith(cached),
  });
  const answer = await post(PATH.renew, { lease: "report", token: TOKEN, ttlMs: 600_000 });
  expect(answer).toMatchObject({ token: TOKEN });
  expect(hold()?.renewals).toBe(2);
});

test("a keeper is refused after max-hold", async () => {
  const { post } = storedApi({
    lease: leaseHeldBy("me", { fencingToken: TOKEN, confirmed: true, renewals: 1 }),
    pod: podWith({ [ANNOTATION.maxHold]: "10m" }),
  });
  const answer = await post(PATH.renew, { lease: "report", token: TOKEN, ttlMs: 600_000 });
  expect(answer).toMatchObject({ reason: "MaxHold" });
});

test("a pod whose grant was taken back keeps its place although the cache still shows the grant", async () => {
  const { post, writes, requestStatus } = storedApi({
    lease: leaseHeldBy("other", { fencingToken: TOKEN + 1, requestUID: "request-of-other", confirmed: true }),
    cachedLease: leaseHeldBy("me", { fencingToken: TOKEN, requestUID: "request-of-me" }),
    pod: podWith({}),
    request: {
      metadata: { namespace: "a", name: "request", uid: "request-of-me", resourceVersion: "1" },
      spec: { lease: "report", holder: "me", holderRef: refTo("me") },
      status: { phase: "Pending", reason: "NotConfirmed" },
    },
  });
  expect(await post(PATH.acquire, { lease: "report", gateRun: "b/1" })).toMatchObject({ state: "waiting" });
  expect(writes()).not.toContain("delete leaserequests");
  expect(requestStatus()).toMatchObject({ phase: "Pending" });
});

test.each([
  ["are valid by now", {}, { state: "waiting" }],
  ["are still invalid", { [ANNOTATION.ttl]: "soon" }, { reason: "BadRequest" }],
])(
  "a gate is answered by its current annotations, although the cache shows invalid ones: they %s",
  async (_, live, answer) => {
    const { post } = storedApi({
      lease: leaseHeldBy("other", { fencingToken: TOKEN, confirmed: true }),
      pod: podWith(live),
      cachedPod: podWith({ [ANNOTATION.ttl]: "soon" }),
    });
    expect(await post(PATH.acquire, { lease: "report", gateRun: "b/1" })).toMatchObject(answer);
  },
);

test("a late acquire of a pod that holds leaves its request alone, although the cache shows another holder", async () => {
  const { post, requestStatus } = storedApi({
    lease: leaseHeldBy("me", { fencingToken: TOKEN, confirmed: true, gateRun: "b/300" }),
    cachedLease: leaseHeldBy("other", { fencingToken: TOKEN - 1, confirmed: true }),
    pod: podWith({}),
    request: {
      metadata: { namespace: "a", name: "request", uid: "request-of-me", resourceVersion: "1" },
      spec: { lease: "report", holder: "me", holderRef: refTo("me") },
      status: { phase: "Granted", fencingToken: TOKEN },
    },
  });
  await post(PATH.acquire, { lease: "report", gateRun: "b/100" });
  expect(requestStatus()).toEqual({ phase: "Granted", fencingToken: TOKEN });
});
