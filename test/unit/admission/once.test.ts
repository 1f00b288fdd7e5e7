/** `konductor.io/once` at admission: on what it can work, each refusal in one sentence. */
import { expect, test } from "vitest";
import type { Metadata, TemplateOwner } from "../../../src/server/admission/objects.ts";
import { createJob, mutateCronJob, refuseMorePods, warnOwner } from "../../../src/server/admission/owners.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import { ALONE, contextWith, cronJobWith, marked, NAMESPACE, ownerWith, podWith } from "./fixtures.ts";

const CONTEXT = contextWith();
const ONCE = marked({ once: "schema-v42" });
const WHOLE = marked({ once: "schema-v42", gate: "job" });

const jobOf = (metadata: Metadata, spec: Partial<TemplateOwner["spec"]>) =>
  createJob(ownerWith(metadata, {}, spec), NAMESPACE, CONTEXT);

test.each<[string, Metadata, object]>([
  ["a Job of one pod", ONCE, {}],
  ["a Job of one pod that says so", ONCE, { completions: 1, parallelism: 1 }],
  ["a Job of many pods that waits as a whole", WHOLE, { completions: 10, parallelism: 5 }],
])("%s may do its work once, and its pods know the key", (_, metadata, spec) => {
  const { annotations } = jobOf(metadata, spec).object.spec.template.metadata ?? {};
  expect(annotations).toMatchObject({ "konductor.io/once": "schema-v42" });
});

test("a CronJob may do its work once, and a pod of a Job is let in", () => {
  const made = mutateCronJob(cronJobWith(ONCE), NAMESPACE, CONTEXT).object;
  expect(made.spec.jobTemplate.spec.template.metadata?.annotations).toMatchObject({
    "konductor.io/once": "schema-v42",
  });
  expect(() => planPod(podWith({}, ONCE), NAMESPACE, CONTEXT, { path: "", job: {} })).not.toThrow();
});

test.each<[string, Metadata, object, RegExp]>([
  [
    "more than one completion",
    ONCE,
    { completions: 3 },
    /^spec\.completions: Invalid value: 3: with konductor\.io\/once a Job of more than one pod needs konductor\.io\/gate "job"/,
  ],
  [
    "pods in parallel",
    ONCE,
    { parallelism: 2 },
    /^spec\.parallelism: Invalid value: 2: with konductor\.io\/once/,
  ],
  [
    "another controller",
    ONCE,
    { managedBy: "example.com/c" },
    /^spec\.managedBy: Invalid value: "example\.com\/c": with konductor\.io\/once only Kubernetes' own Job controller/,
  ],
  [
    "a main that goes on without its hold",
    marked({ once: "schema-v42", "on-lost": "continue" }),
    {},
    /konductor\.io\/on-lost\]: Invalid value: "continue": with konductor\.io\/once only terminate is allowed/,
  ],
  [
    "a key that is no label's value",
    marked({ once: "schema v42" }),
    {},
    /^metadata\.annotations\[konductor\.io\/once\]: Invalid value: "schema v42": letters, digits, "-", "_" and "\." are allowed/,
  ],
])("a Job with %s is refused", (_, metadata, spec, sentence) => {
  expect(() => jobOf(metadata, spec)).toThrow(sentence);
});

test("a pod that no Job owns is refused, with the way that works", () => {
  const sentence =
    /konductor\.io\/once\]: Invalid value: "schema-v42": only a Job can end without having run; .* in an init container, by koncli lease exec --once$/;
  expect(() => planPod(podWith({}, ONCE), NAMESPACE, CONTEXT, ALONE)).toThrow(sentence);
  for (const kind of ["Deployment", "StatefulSet", "DaemonSet"])
    expect(() => warnOwner(kind, ownerWith({}, ONCE), NAMESPACE, CONTEXT)).toThrow(sentence);
});

test("no update makes more pods of a Job that does its work once", () => {
  const { object } = jobOf(ONCE, {});
  const updated = (spec: object) => ({ ...object, spec: { ...object.spec, ...spec } });
  expect(() => refuseMorePods(updated({ parallelism: 1 }))).not.toThrow();
  expect(() => refuseMorePods(updated({ parallelism: 2 }))).toThrow(/^spec\.parallelism: Invalid value: 2/);
  expect(() => refuseMorePods(ownerWith({}, {}, { parallelism: 9 }))).not.toThrow();
});
