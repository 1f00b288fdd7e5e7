/** However many replicas there are, all together write no more than 10 events a second. */
import { expect, test } from "vitest";
import { createEventShare } from "../../../src/bin/serve/event-share.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { recordedClient } from "../controller/recorded-client.ts";

const SERVICE = { spec: { selector: { app: "konductor", instance: "a" } } };

function share(replicas: number, { isArbiter = false, service = SERVICE as object | null } = {}) {
  const { client, calls } = recordedClient(({ what }) => {
    if (what === "list pods") return Array(replicas).fill({});
    if (service) return service;
    throw new KonductorError("NotFound", "no such Service");
  });
  return { ...createEventShare({ client, namespace: "locks", isArbiter: () => isArbiter }), calls };
}

test.each([1, 2, 3, 4, 5, 20])("%i replicas", async (replicas) => {
  const [arbiter, other] = [share(replicas, { isArbiter: true }), share(replicas)];
  await Promise.all([arbiter.refresh(), other.refresh()]);
  expect(arbiter.perSecond() + (replicas - 1) * other.perSecond()).toBeLessThanOrEqual(10);
  expect(other.perSecond()).toBeGreaterThan(0.1);
});

test("a replica counts the running pods that its Service selects", async () => {
  const { refresh, calls, perSecond } = share(7);
  expect(perSecond()).toBe(1);
  await refresh();
  expect(calls.at(-1)?.sent).toMatchObject({
    ...{
      namespace: "locks",
      labelSelector: "app=konductor,instance=a",
      fieldSelector: "status.phase=Running",
    },
  });
  expect(perSecond()).toBe(0.5);
});

test("without a Service that selects pods, it counts on a rollout of the shipped Deployment", async () => {
  for (const service of [null, { spec: {} }]) {
    const { refresh, perSecond } = share(7, { service });
    await refresh();
    expect(perSecond()).toBe(1);
  }
});
