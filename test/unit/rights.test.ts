import { join } from "node:path";
import { expect, test } from "vitest";
import { rightOf, rightsIn, unusedRights } from "../rights.ts";

const ROOT = join(import.meta.dirname, "../..");
const objectRef = { resource: "pods", namespace: "team", name: "a", apiVersion: "v1" };

test.each([
  ["get pods", { verb: "get", objectRef, requestURI: "/api/v1/namespaces/team/pods/a" }],
  [
    "patch batch/jobs/status",
    { verb: "patch", objectRef: { apiGroup: "batch", resource: "jobs", subresource: "status" } },
  ],
  ["get /openid/v1/jwks", { verb: "get", requestURI: "/openid/v1/jwks?timeout=1s" }],
])("%s", (right, event) => {
  expect(rightOf(event)).toBe(right);
});

test("rules are read as the rights that they grant", () => {
  const rules = [
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
    { apiGroups: ["batch"], resources: ["jobs", "jobs/status"], verbs: ["patch"] },
    { nonResourceURLs: ["/version"], verbs: ["get"] },
  ];
  expect(rightsIn({ rules })).toEqual([
    "get pods",
    "list pods",
    "patch batch/jobs",
    "patch batch/jobs/status",
    "get /version",
  ]);
});

test("rights that konductor never used are named", async () => {
  const all = await unusedRights(ROOT, "");
  expect(all).toContain("patch admissionregistration.k8s.io/mutatingwebhookconfigurations");
  const [first, ...rest] = all;
  expect(await unusedRights(ROOT, rest.join("\n"))).toEqual([first]);
});
