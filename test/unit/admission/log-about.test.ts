/** Which Lease a line about a review names. */
import { expect, test } from "vitest";
import { aboutReviewed } from "../../../src/server/admission/log-about.ts";
import { GROUP, LEASE_LABEL } from "../../../src/shared/names.ts";

const about = (kind: string, object: unknown, oldObject?: unknown) =>
  aboutReviewed({
    ...{
      uid: "review",
      subResource: "",
      operation: "UPDATE",
      namespace: "a",
      username: "alice",
      isDryRun: false,
    },
    ...{ kind, object, oldObject },
  });
const labelled = (lease: string) => ({ metadata: { name: "me", labels: { [LEASE_LABEL]: lease } } });

test("that of the object", () => {
  const request = { metadata: { name: "report-1" }, spec: { lease: "report", holder: "ci" } };
  expect(about(`${GROUP}/Lease`, { metadata: { name: "report" } })).toEqual({ lease: "a/report" });
  expect(about(`${GROUP}/LeaseRequest`, request)).toEqual({
    ...{ lease: "a/report", holder: "ci", request: "report-1" },
  });
  expect(about("/Pod", labelled("report"))).toEqual({ lease: "a/report", pod: "me" });
  expect(about("batch/Job", undefined, labelled("report"))).toEqual({ lease: "a/report" });
});

test.each<[string, string, unknown]>([
  ["nothing", "/Pod", undefined],
  ["a pod without the label", "/Pod", { metadata: { name: "me" } }],
  ["a label that names no Lease", "/Pod", labelled("x".repeat(64))],
  [
    "long names",
    `${GROUP}/LeaseRequest`,
    { metadata: { name: "x".repeat(254) }, spec: { holder: "x".repeat(254) } },
  ],
])("no line is longer for %s", (_what, kind, object) => {
  expect(about(kind, object)).toEqual({});
});
