/** Jobs that wait as a whole, at their creation and updates. */
import { describe, expect, it } from "vitest";
import { mutate } from "../../../src/server/admission/mutate.ts";
import type { Metadata, TemplateOwner } from "../../../src/server/admission/objects.ts";
import { createJob, warnOwner } from "../../../src/server/admission/owners.ts";
import type { AdmissionRequest } from "../../../src/server/admission/review.ts";
import { isWholeJob, suspended, updateWholeJob } from "../../../src/server/admission/whole-job.ts";
import { record } from "../../../src/shared/json.ts";
import { accountName } from "../../../src/shared/names.ts";
import { contextWith, marked, NAMESPACE, ownerWith, podWith, requestWith } from "./fixtures.ts";

const WHOLE = marked({ gate: "job" });
const TTL = { "konductor.io/ttl": "1m" };
const OURS = "konductor.io/suspended";
const update = (request: Partial<AdmissionRequest>) =>
  mutate(requestWith({ kind: "batch/Job", operation: "UPDATE", ...request }), contextWith());
const create = (job: TemplateOwner) => createJob(job, NAMESPACE, contextWith());

describe("a Job that waits as a whole, at creation", () => {
  it.each([
    ["label and gate on the Job", ownerWith(WHOLE)],
    ["label and gate on its template", ownerWith({}, WHOLE)],
  ])("is suspended, and carries both: %s", (_, job) => {
    const { object, warnings } = create(job);
    expect(warnings).toEqual([]);
    expect(object.spec.suspend).toBe(true);
    expect(object.metadata).toMatchObject(marked({ suspended: "true" }));
    expect(object.spec.template.metadata).toMatchObject(WHOLE);
  });

  it("is not resumed by us if its user suspended it", () => {
    const { object } = create(ownerWith(WHOLE, {}, { suspend: true }));
    expect(object.metadata?.annotations).not.toHaveProperty([OURS]);
  });

  it.each([
    ["label and gate on the Job", ownerWith(WHOLE)],
    ["label and gate on its template, something else on the Job", ownerWith({ annotations: TTL }, WHOLE)],
  ])("stays as it is in a second pass: %s", (_, job) => {
    const { object } = create(job);
    expect(create(object).object).toEqual(object);
  });

  it.each<[string, Partial<TemplateOwner["spec"]>, Record<string, string>, RegExp]>([
    [
      "managed by another controller",
      { managedBy: "example.com/c" },
      {},
      /^spec\.managedBy: Invalid value: "example\.com\/c"/,
    ],
    ["of too many pods", { parallelism: 501 }, {}, /^spec\.parallelism: Invalid value: 501: .* at most 500/],
    [
      "that goes on when its hold is lost",
      {},
      { "on-lost": "continue" },
      /on-lost\]: .* only terminate is allowed$/,
    ],
    [
      "that is not renewed",
      {},
      { renew: "false" },
      /renew\]: Invalid value: "false": .* only true is allowed/,
    ],
    [
      "whose gate fails",
      {},
      { "if-held": "fail" },
      /if-held\]: Invalid value: "fail": with konductor\.io\/gate "job" the gate runs only after the grant/,
    ],
  ])("is refused: %s", (_, spec, annotations, sentence) => {
    expect(() => create(ownerWith(marked({ gate: "job", ...annotations }), {}, spec))).toThrow(sentence);
  });

  it("is for Jobs", () => {
    expect(() => warnOwner("Deployment", ownerWith({}, WHOLE), NAMESPACE, contextWith())).toThrow(
      /gate\]: Invalid value: "job": only a Job can wait as a whole; init or scheduling is allowed$/,
    );
  });
});

it("pods of a whole Job are scheduled at once, even with if-held: skip", () => {
  const metadata = {
    ...marked({ gate: "job", "if-held": "skip" }),
    ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", controller: true }],
  };
  const { patch = "" } = mutate(requestWith({ object: podWith({}, metadata) }), contextWith());
  const patched = Buffer.from(patch, "base64").toString();
  expect(patched).toContain("konductor-gate");
  expect(patched).not.toContain("schedulingGates");
});

describe("a Job that waits as a whole, at an update", () => {
  const waiting = suspended(ownerWith(WHOLE, WHOLE));
  const running: TemplateOwner = { ...waiting, metadata: WHOLE, spec: { ...waiting.spec, suspend: false } };

  it("enters the queue when its user resumes it", () => {
    const paused = ownerWith(WHOLE, WHOLE, { suspend: true });
    expect(updateWholeJob(ownerWith(WHOLE, WHOLE, { suspend: false }), paused)).toEqual(waiting);
    expect(updateWholeJob(ownerWith(WHOLE, WHOLE), waiting)).toEqual(waiting);
  });

  it("may be suspended by its user", () => {
    const paused = ownerWith(WHOLE, WHOLE, { suspend: true });
    expect(updateWholeJob(paused, running)).toEqual(paused);
  });

  it("loses a mark left from before, since konductor would resume it", () => {
    const mark = marked({ suspended: "true" });
    const paused = ownerWith(mark, WHOLE, { suspend: true });
    expect(updateWholeJob(paused, running)).toEqual({ ...paused, metadata: { ...mark, annotations: {} } });
    expect(updateWholeJob(waiting, waiting)).toEqual(waiting);
  });

  it("runs on", () => {
    expect(updateWholeJob(running, running)).toEqual(running);
  });

  it.each([
    [
      "its label",
      marked({ gate: "job" }, "other"),
      /^metadata\.labels\[konductor\.io\/lease\]: .*"other": .*stay "nightly"/,
    ],
  ])("keeps %s", (_, metadata, sentence) => {
    expect(() => updateWholeJob({ ...running, metadata }, running)).toThrow(sentence);
  });

  it.each([
    ["konductor", accountName("konductor-system"), undefined],
    ["anybody else", "alice", "JSONPatch"],
  ])("resumed by %s: suspended again unless by konductor", (_, username, patchType) => {
    const answer = update({ username, object: running, oldObject: waiting });
    expect(record(answer)["patchType"]).toBe(patchType);
  });

  it("is denied without its label", () => {
    const { metadata: _, ...bare } = running;
    expect(update({ object: bare, oldObject: running })).toMatchObject({ allowed: false });
    expect(isWholeJob(running)).toBe(true);
  });
});

describe("the pod template of a suspended Job", () => {
  const waiting = suspended(ownerWith({ name: "batch", ...WHOLE }, WHOLE));
  const paused = ownerWith({ name: "batch", ...WHOLE }, WHOLE, { suspend: true });
  const withTemplate = (job: TemplateOwner, own: Metadata, template: Metadata): TemplateOwner => ({
    ...job,
    metadata: { ...job.metadata, ...own },
    spec: { ...job.spec, template: { ...job.spec.template, metadata: template } },
  });
  const field = (map: string, name: string) =>
    `spec.template.metadata.${map}[konductor.io/${name}]: Invalid value`;
  const OTHER = marked({ gate: "job" }, "weekly");
  const of = (annotations: Record<string, string>) => marked({ gate: "job", ...annotations });

  it.each<[string, Metadata, Metadata, string]>([
    [
      "for another klease",
      { labels: { "konductor.io/lease": "weekly" } },
      OTHER,
      `${field("labels", "lease")}: "weekly": Job batch waits for its klease by its pod template, in which this was "nightly"; ` +
        "delete the Job and create it again",
    ],
    ["for none", { labels: {} }, {}, `${field("labels", "lease")}: ""`],
    ["without its gate", {}, marked(), `${field("annotations", "gate")}: "": Job batch`],
    [
      "with another priority",
      {},
      of({ priority: "5" }),
      `${field("annotations", "priority")}: "5": Job batch waits`,
    ],
    ["with a misspelt annotation", {}, of({ prioriti: "5" }), `${field("annotations", "prioriti")}: "5"`],
    [
      "in another trace",
      {},
      { ...WHOLE, annotations: { ...WHOLE.annotations, "trace.konductor.io/traceparent": "x" } },
      "spec.template.metadata.annotations[trace.konductor.io/traceparent]",
    ],
  ])("does not change while konductor has it wait: %s", (_, own, template, message) => {
    const answer = update({ object: withTemplate(waiting, own, template), oldObject: waiting });
    expect(answer).toMatchObject({ allowed: false, status: { message: expect.stringContaining(message) } });
  });

  it.each<[string, Partial<AdmissionRequest>]>([
    ["by konductor", { username: accountName("konductor-system") }],
    ["of a Job that is being deleted", { object: withTemplate(waiting, { deletionTimestamp: "x" }, OTHER) }],
    [
      "in what is not konductor's",
      { object: withTemplate(waiting, {}, { ...WHOLE, labels: { ...WHOLE.labels, a: "b" } }) },
    ],
    [
      "of a Job that its user has suspended",
      { oldObject: paused, object: withTemplate(paused, {}, of({ priority: "5" })) },
    ],
    [
      "of a Job that does not wait as a whole",
      { oldObject: ownerWith({}, marked()), object: ownerWith({}, marked({}, "b")) },
    ],
  ])("may change: %s", (_, request) => {
    const changed = withTemplate(waiting, {}, of({ priority: "5" }));
    expect(update({ object: changed, oldObject: waiting, ...request })).toMatchObject({ allowed: true });
  });

  it("is checked where it may change, since nobody else would say that konductor cannot read it", () => {
    const answers = [of({ prioriti: "5" }), of({ "on-lost": "continue" })].map((template) =>
      update({ oldObject: paused, object: withTemplate(paused, {}, template) }),
    );
    expect(answers).toMatchObject([{ allowed: false }, { allowed: false }]);
  });
});
