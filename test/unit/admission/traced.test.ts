/** Where traces begin: while they are on, whoever is to hold gets a traceparent, once, and a user's own is continued. */
import jsonPatch from "fast-json-patch";
import { describe, expect, it, test } from "vitest";
import { mutate } from "../../../src/server/admission/mutate.ts";
import type { Metadata } from "../../../src/server/admission/objects.ts";
import type { AdmissionRequest } from "../../../src/server/admission/review.ts";
import type { TracedAdmission } from "../../../src/server/admission/traced.ts";
import { record, textMap } from "../../../src/shared/json.ts";
import { contextWith, marked, NAMESPACE, ownerWith, podWith, requestWith } from "./fixtures.ts";

const OURS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const USERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ON = { newTraceParent: () => OURS };

/** The object after a call of our webhook, and what was told of it. */
function admit(request: Partial<AdmissionRequest>, tracing: Parameters<typeof contextWith>[0] = ON) {
  const told: TracedAdmission[] = [];
  const asked = requestWith(request);
  const answer = mutate(asked, contextWith(tracing), (traced) => told.push(traced));
  expect(answer.allowed).toBe(true);
  const patch = JSON.parse(Buffer.from(answer.patch ?? "W10=", "base64").toString());
  return { told, object: record(jsonPatch.applyPatch(structuredClone(asked.object), patch).newDocument) };
}

const KEY = "trace.konductor.io/traceparent";
/** As a user writes it, beside other annotations. */
function traced(others: Record<string, string> = {}, traceparent = USERS): Metadata {
  const metadata = marked(others);
  return { ...metadata, annotations: { ...metadata.annotations, [KEY]: traceparent } };
}

const annotationOf = (metadata: unknown) => textMap(record(metadata)["annotations"])[KEY];

/** As the API server stores the field managers of a client that wrote the annotation. */
function managed(metadata: Metadata): Metadata {
  const fieldsV1 = { "f:metadata": { "f:annotations": { [`f:${KEY}`]: {} } } };
  return { ...metadata, managedFields: [{ manager: "kubectl-create", fieldsV1 }] };
}

const labelledPod = (metadata: Metadata = marked()) => podWith({}, { name: "run-1", ...metadata });

describe("a pod", () => {
  test("begins a trace", () => {
    const { object, told } = admit({ object: labelledPod() });
    expect(annotationOf(object["metadata"])).toBe(OURS);
    const about = { kind: "Pod", namespace: NAMESPACE, name: "run-1", lease: "nightly" };
    expect(told).toEqual([{ ...about, traceparent: OURS, isRoot: true }]);
  });

  test("continues the trace of its user", () => {
    const { object, told } = admit({ object: labelledPod(managed(traced())) });
    expect(annotationOf(object["metadata"])).toBe(USERS);
    expect(told).toMatchObject([{ traceparent: USERS, isRoot: false }]);
  });

  test("is told of once, though our webhook is called again", () => {
    const { object } = admit({ object: labelledPod() });
    const again = admit({ object }, { newTraceParent: () => USERS });
    expect(annotationOf(again.object["metadata"])).toBe(OURS);
    expect(again.told).toEqual([]);
  });

  test("is told of to nobody in a dry run, or if it is refused", () => {
    expect(admit({ object: labelledPod(), isDryRun: true }).told).toEqual([]);
    const told: unknown[] = [];
    const wrong = requestWith({ object: labelledPod(traced({}, "x")) });
    expect(mutate(wrong, contextWith(ON), (traced) => told.push(traced)).allowed).toBe(false);
    expect(told).toEqual([]);
  });

  test("of a Job that holds as a whole begins no trace, and continues that of its Job", () => {
    const ownerReferences = [
      { apiVersion: "batch/v1", kind: "Job", name: "load", uid: "1", controller: true },
    ];
    const { object, told } = admit({ object: labelledPod({ ...marked({ gate: "job" }), ownerReferences }) });
    expect([annotationOf(object["metadata"]), told]).toEqual([undefined, []]);
    const ofJob = managed({ ...traced({ gate: "job" }), ownerReferences });
    expect(admit({ object: labelledPod(ofJob) }).told).toMatchObject([{ traceparent: USERS, isRoot: false }]);
  });
});

test("a Job that waits as a whole has its traceparent in its template", () => {
  const { object, told } = admit({
    kind: "batch/Job",
    object: ownerWith({ name: "load", ...marked({ gate: "job" }) }),
  });
  expect(annotationOf(object["metadata"])).toBeUndefined();
  expect(annotationOf(record(record(object["spec"])["template"])["metadata"])).toBe(OURS);
  expect(told).toMatchObject([{ kind: "Job", name: "load", lease: "nightly", isRoot: true }]);
});

test("a Job whose pods wait has none", () => {
  const { object, told } = admit({ kind: "batch/Job", object: ownerWith(marked()) });
  expect(JSON.stringify(object)).not.toContain("traceparent");
  expect(told).toEqual([]);
});

describe("a client's LeaseRequest", () => {
  const request = (metadata: object, lease = "nightly") => ({
    kind: "konductor.io/LeaseRequest",
    object: { metadata, spec: { lease, holder: "ci" } },
  });

  test("begins a trace", () => {
    const { object, told } = admit(request({ name: "ci-1" }));
    expect(annotationOf(object["metadata"])).toBe(OURS);
    expect(told).toMatchObject([{ kind: "LeaseRequest", name: "ci-1", lease: "nightly", isRoot: true }]);
  });

  test("has none where there is no more room for annotations", () => {
    const annotations = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`a${index}`, "x"]));
    expect(annotationOf(admit(request({ name: "ci-1", annotations })).object["metadata"])).toBeUndefined();
  });

  it.each([
    ["a name", request({ name: "x".repeat(1 << 20) })],
    ["a Lease", request({ name: "ci-1" }, "x".repeat(1 << 20))],
  ])("that the API server will refuse for %s is not told of", (_, refused) => {
    expect(admit(refused).told).toEqual([]);
  });
});

test("while traces are off nothing is added, and nobody told", () => {
  for (const metadata of [marked(), managed(traced())]) {
    const { object, told } = admit({ object: labelledPod(metadata) }, {});
    expect(annotationOf(object["metadata"])).toBe(metadata.annotations?.[KEY]);
    expect(told).toEqual([]);
  }
});
