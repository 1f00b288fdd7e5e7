/** What a review costs grows with its size, and not with the square: anybody may send objects with thousands of entries, before they are validated. */
import { expect, onTestFinished, test, vi } from "vitest";
import { mutate } from "../../../src/server/admission/mutate.ts";
import type { Container } from "../../../src/server/admission/objects.ts";
import type { AdmissionRequest } from "../../../src/server/admission/review.ts";
import { contextWith, cronJobWith, ISTIO, inIstio, MAIN, marked, podWith, requestWith } from "./fixtures.ts";

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const named = (count: number) => Object.fromEntries(many(count, (index) => [`example.com/${index}`, ""]));

/** `count` of everything that a pod can have many of. */
const REQUESTS: Record<string, (count: number) => Partial<AdmissionRequest>> = {
  "containers of a mesh": (count) => {
    const metadata = inIstio();
    const status = JSON.stringify({ initContainers: many(count, (index) => `istio-${index}`) });
    const annotations = { ...metadata.annotations, "sidecar.istio.io/status": status };
    const initContainers = many(count, (): Container => ISTIO.proxy);
    return { object: podWith({ initContainers }, { ...metadata, annotations }) };
  },
  "init containers": (count) => ({
    object: podWith({ initContainers: many(count, (index) => ({ name: `i${index}` })) }),
  }),
  "containers with resources, probes and variables": (count) => ({
    object: podWith({
      containers: many(count, (index) => ({
        ...MAIN,
        name: `c${index}`,
        env: [{ name: "A", value: "x" }],
        livenessProbe: { terminationGracePeriodSeconds: 5 },
        resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } },
      })),
    }),
  }),
  "mounts and volumes": (count) => ({
    object: podWith(
      {
        containers: [{ ...MAIN, volumeMounts: many(count, () => ({ name: "none", mountPath: "/" })) }],
        volumes: many(count, (index) => ({ name: `v${index}`, emptyDir: {} })),
      },
      marked({ "token-file": "/run/token" }),
    ),
  }),
  "labels and annotations": (count) => ({
    object: podWith({}, { labels: { ...marked().labels, ...named(count) }, annotations: named(count) }),
  }),
  "a CronJob's labels on record": (count) => {
    const labels = named(count);
    const annotations = {
      "konductor.io/propagated": JSON.stringify({ labels, annotations: labels }),
      "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify({ metadata: { labels } }),
    };
    const stored = cronJobWith({ annotations }, { labels, annotations: labels });
    const object = cronJobWith({ ...marked(), annotations }, { labels, annotations: labels });
    return { kind: "batch/CronJob", operation: "UPDATE", object, oldObject: stored };
  },
};

let reads = 0;

/** `value`, whose every look at a field is counted. */
function counted<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, key, receiver) {
      reads++;
      return counted(Reflect.get(target, key, receiver));
    },
  });
}

function costOf(request: Partial<AdmissionRequest>): number {
  const parse = vi.spyOn(JSON, "parse");
  onTestFinished(() => parse.mockRestore());
  parse.mockClear();
  reads = 0;
  const { object, oldObject } = request;
  const { allowed, status } = mutate(
    requestWith({ ...request, object: counted(object), oldObject: counted(oldObject) }),
    contextWith(),
  );
  expect([allowed, status]).toEqual([true, undefined]);
  return reads + parse.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
}

test.each(Object.entries(REQUESTS))("twice as many cost about twice as much: %s", (_, request) => {
  const [once, twice] = [costOf(request(200)), costOf(request(400))];
  expect(once).toBeGreaterThan(400);
  expect(twice).toBeLessThan(2.5 * once);
});
