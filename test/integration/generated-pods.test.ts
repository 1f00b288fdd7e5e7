/** Every pod that an API server accepts under `restricted` is accepted with konductor's changes, too. The pods are generated. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { NAMESPACES } from "../../src/kube/resources.ts";
import { describeError, hasCode } from "../../src/shared/errors.ts";
import { LEASE_LABEL } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { createChecker } from "../reviews/check.ts";
import { pods } from "../reviews/generate.ts";

const NAMESPACE = "generated-pods";
const TRIED = 2_000;
const ACCEPTED_AT_LEAST = 50;

const checker = createChecker();
const client = adminClient(inject("cluster"));
afterAll(async () => {
  await client.delete(NAMESPACES, { name: NAMESPACE }).catch(() => undefined);
  await client.close();
  await checker.close();
});

/** Why the API server would refuse the pod; undefined: it would accept it. */
async function refusal(pod: object): Promise<string | undefined> {
  try {
    await client.raw("POST", `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`, pod);
    return undefined;
  } catch (error) {
    if (hasCode(error, "Invalid", "Forbidden", "BadRequest")) return describeError(error);
    throw error;
  }
}

beforeAll(async () => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const metadata = { name: NAMESPACE, labels };
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata });
  await waitFor({
    what: "the namespace to have its service account",
    withinMs: 30_000,
    holds: async () =>
      Boolean(await client.raw("GET", `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`)),
  });
});

test("a pod that is accepted without the label is accepted with gate and keeper", async () => {
  let accepted = 0;
  for (const pod of fc.sample(pods, { numRuns: TRIED, seed: 1 })) {
    const metadata = { ...pod.metadata, labels: { ...pod.metadata.labels, [LEASE_LABEL]: "nightly" } };
    const kind = { group: "", version: "v1", kind: "Pod" };
    const userInfo = { username: "ada" };
    const request = { uid: "generated", kind, operation: "CREATE", namespace: "team-a", userInfo };
    const { allowed, object } = await checker.check({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: { ...request, object: { ...pod, metadata } },
    });
    const { labels: _, ...unlabelled } = pod.metadata;
    if (!allowed || (await refusal({ ...pod, metadata: unlabelled })) !== undefined) continue;
    expect(await refusal(object as object), JSON.stringify(object)).toBe(undefined);
    accepted++;
  }
  expect(accepted).toBeGreaterThanOrEqual(ACCEPTED_AT_LEAST);
});
