import { describe, expect, it } from "vitest";
import { mutate } from "../../../src/server/admission/mutate.ts";
import type { AdmissionRequest } from "../../../src/server/admission/review.ts";
import { contextWith, cronJobWith, MAIN, marked, ownerWith, podWith, requestWith } from "./fixtures.ts";

const CONTEXT = contextWith();

const answer = (request: Partial<AdmissionRequest>) => mutate(requestWith(request), CONTEXT);

const ALLOWED = { uid: "u1", allowed: true };
const BAD = ownerWith(marked(), marked({ ttl: "1" }));
const ALSO_BAD = { ...BAD, metadata: { ...BAD.metadata, generation: 2 } };

describe("mutate", () => {
  it("patches a labelled pod", () => {
    const { patch = "", ...rest } = answer({});
    expect(rest).toEqual({ ...ALLOWED, patchType: "JSONPatch" });
    const operations: unknown = JSON.parse(Buffer.from(patch, "base64").toString());
    expect(operations).toContainEqual({
      op: "add",
      path: "/metadata/annotations",
      value: expect.objectContaining({ "konductor.io/injected": "0.1.0" }),
    });
  });

  it.each<[string, Partial<AdmissionRequest>]>([
    ["a pod without the label", { object: podWith({}, {}) }],
    ["a pod's update", { operation: "UPDATE" }],
    ["a pod's ephemeral containers", { operation: "UPDATE", subResource: "ephemeralcontainers" }],
    ["a deletion", { operation: "DELETE", object: undefined, oldObject: podWith() }],
    ["a kind that does not concern us", { kind: "/ConfigMap", object: { metadata: marked() } }],
    ["a Job in another API group", { kind: "batch.volcano.sh/Job", object: { metadata: marked() } }],
    [
      "an invalid object that is being deleted",
      {
        kind: "batch/CronJob",
        operation: "UPDATE",
        object: { metadata: { ...marked(), deletionTimestamp: "now" } },
      },
    ],
    ["a CronJob without our label", { kind: "batch/CronJob", object: cronJobWith({}) }],
  ])("allows %s as it is", (_name, request) => {
    expect(answer(request)).toEqual(ALLOWED);
  });

  it("denies with one sentence", () => {
    expect(answer({ object: podWith({ containers: [{ ...MAIN, name: "konductor-gate" }] }) })).toEqual({
      uid: "u1",
      allowed: false,
      status: {
        code: 403,
        reason: "Forbidden",
        message:
          'spec.containers[0].name: Invalid value: "konductor-gate": the name is konductor\'s own; any other is allowed',
      },
    });
  });

  it.each(["apps/Deployment", "apps/StatefulSet", "apps/DaemonSet"])("warns on %s", (kind) => {
    const { warnings } = answer({ kind, object: ownerWith(marked()) });
    expect(warnings).toEqual([expect.stringContaining(`has no effect on a ${kind.slice(5)}`)]);
  });

  it.each(["batch/Job", "batch/CronJob"])("patches a labelled %s", (kind) => {
    const object = kind === "batch/Job" ? ownerWith(marked()) : cronJobWith(marked());
    expect(answer({ kind, object })).toMatchObject({ allowed: true, patchType: "JSONPatch" });
  });

  it("never refuses a Job's update, but warns", () => {
    const request = { kind: "batch/Job", operation: "UPDATE", object: BAD, oldObject: BAD };
    expect(answer(request)).toEqual(ALLOWED);
    const relabelled = { ...BAD, metadata: marked({}, "other") };
    expect(answer({ ...request, object: relabelled })).toMatchObject({
      allowed: true,
      warnings: [expect.any(String)],
    });
  });

  it("allows an update with an old error, but warns", () => {
    const request = { kind: "apps/Deployment", operation: "UPDATE", object: ALSO_BAD };
    const warnings = [expect.stringMatching(/^spec\.template\.metadata\.annotations/)];
    expect(answer({ ...request, oldObject: BAD })).toEqual({ ...ALLOWED, warnings });
    expect(answer({ ...request, oldObject: ownerWith({}, marked()) })).toMatchObject({ allowed: false });
    expect(answer({ ...request, operation: "CREATE" })).toMatchObject({ allowed: false });
  });

  it("stamps a LeaseRequest, even if it is being deleted", () => {
    const object = { metadata: { deletionTimestamp: "now" }, spec: { lease: "nightly", holder: "ci" } };
    const { patch = "", ...rest } = answer({ kind: "konductor.io/LeaseRequest", object });
    expect(rest).toEqual({ ...ALLOWED, patchType: "JSONPatch" });
    const operations: unknown = JSON.parse(Buffer.from(patch, "base64").toString());
    expect(operations).toContainEqual({ op: "add", path: "/spec/requestedBy", value: "alice" });
  });

  it("denies a change of a klease's status, even while the klease is being deleted", () => {
    const metadata = { name: "nightly", deletionTimestamp: "now" };
    const request = {
      kind: "konductor.io/Lease",
      operation: "UPDATE",
      object: { metadata, status: { phase: "Available" } },
      oldObject: { metadata, status: { phase: "Held" } },
    };
    expect(answer(request)).toMatchObject({ allowed: false, status: { code: 403 } });
    expect(answer({ ...request, subResource: "status" })).toEqual(ALLOWED);
  });

  it("warns about a klease's status at creation", () => {
    const object = { metadata: { name: "nightly" }, status: { phase: "Held" } };
    const warnings = [expect.stringContaining("status of klease nightly was ignored")];
    expect(answer({ kind: "konductor.io/Lease", object })).toEqual({ ...ALLOWED, warnings });
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["text", "pod"],
    ["no spec", { metadata: marked() }],
    ["no list of containers", { metadata: marked(), spec: { containers: null } }],
    [
      "a label that is no text",
      { metadata: { labels: { "konductor.io/lease": 1 } }, spec: { containers: [MAIN] } },
    ],
    ["a container without a name", { metadata: marked(), spec: { containers: [{}] } }],
  ])("cannot judge an object that is %s", (_name, object) => {
    for (const kind of ["/Pod", "batch/Job", "batch/CronJob", "apps/DaemonSet"]) {
      expect(answer({ kind, object })).toEqual({
        uid: "u1",
        allowed: false,
        status: {
          code: 400,
          reason: "BadRequest",
          message: `request.object is not a ${kind.split("/")[1]} as the API server sends it`,
        },
      });
    }
  });
});
