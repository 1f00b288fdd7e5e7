/** Pods that wait unscheduled, and for which no request can be made: they cost next to nothing while that rests. */
import { expect, test } from "vitest";
import { createErrands, type Errands } from "../../../src/controller/errands.ts";
import { queueGatedPods } from "../../../src/controller/gated-pods.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { podObject } from "./objects.ts";
import { recordedClient } from "./recorded-client.ts";

const KEY = "ns/nightly";

const gated = (name: string, annotations: object = {}, job?: { name: string; uid: string }) => {
  const pod = podObject(name, `uid-of-${name}`, {
    gated: true,
    gate: "scheduling",
    ...(job && { job }),
  });
  return parsePod({
    ...pod,
    metadata: {
      ...pod.metadata,
      resourceVersion: "1",
      annotations: { ...pod.metadata.annotations, ...annotations },
    },
  });
};

/** A quota refuses every request. */
function stage(pods: readonly PodView[]) {
  const clock = turnedClock(NOW_MS);
  const { client, calls } = recordedClient(() => {
    throw new KonductorError("Forbidden", "quota");
  });
  const caches = {
    pods: fedReflector<PodView>({ [BY_LEASE]: ({ namespace, lease }) => lease && `${namespace}/${lease}` }),
    requests: fedReflector<LeaseRequest>(),
  };
  for (const pod of pods) caches.pods.apply(pod);
  const real = createErrands({
    ...{ clock, logger: createLogger({ level: "silent" }) },
    wake: () => undefined,
  });
  let runs = 0;
  const errands: Errands = {
    ...real,
    run(errand, work) {
      runs++;
      return real.run(errand, work);
    },
  };
  const options = { client, caches, errands, events: { record: () => undefined }, clock };
  return {
    clock,
    asked: () => calls.map(({ what }) => what),
    /** Looks once. Resolves with the number of errands that were begun. */
    async look() {
      runs = 0;
      await queueGatedPods({ ...options, systemNamespace: "konductor-system" }, undefined, {
        key: KEY,
        requests: [],
      });
      return runs;
    },
  };
}

test("a pod whose request was refused is left alone until its rest is over", async () => {
  const { clock, look, asked } = stage([gated("a"), gated("b"), gated("c")]);
  expect(await look()).toBe(3);
  expect(await look()).toBe(0);
  await clock.turn(100);
  expect(await look()).toBe(3);
  expect(asked()).toEqual(Array.from({ length: 6 }, () => "create leaserequests"));
});

test("while the pod that tries for its Job rests, no other pod of the Job tries", async () => {
  const job = { name: "batch", uid: "job-1" };
  const skips = { [ANNOTATION.ifHeld]: "skip" };
  const { look, asked } = stage([gated("a", skips, job), gated("b", skips, job)]);
  expect(await look()).toBe(1);
  expect(await look()).toBe(0);
  expect(asked()).toEqual(["create leaserequests"]);
});
