import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  LEASE_LABEL,
  PATH,
  SERVICE_ACCOUNT,
  SERVICE_NAME,
  SYSTEM_NAMESPACE,
  WEBHOOK_CONFIGURATION,
} from "../../../src/shared/names.ts";
import { packageVersion } from "../../../tools/build.ts";
import { NONROOT } from "../../../tools/image/root-filesystem.ts";

const ROOT = join(import.meta.dirname, "../../..");

async function documents(path: string): Promise<unknown[]> {
  const all = parseAllDocuments(await readFile(join(ROOT, path), "utf8"), { merge: true });
  return all.map((document): unknown => document.toJS());
}

/** The single document of a manifest. */
async function manifest(path: string): Promise<unknown> {
  const [document, ...more] = await documents(path);
  expect(more).toEqual([]);
  return document;
}

test("the image's tag is the version in package.json", async () => {
  expect(await manifest("deploy/kustomization.yaml")).toMatchObject({
    transformers: ["follow"],
    images: [{ name: "konductor", newTag: await packageVersion(ROOT) }],
  });
});

test("container image and KONDUCTOR_IMAGE are the image that kustomize tags, and the container runs as the image's user", async () => {
  const env = expect.arrayContaining([{ name: "KONDUCTOR_IMAGE", value: "konductor" }]);
  expect(await manifest("deploy/deployment.yaml")).toMatchObject({
    spec: {
      template: {
        spec: {
          securityContext: { runAsUser: NONROOT },
          containers: [expect.objectContaining({ image: "konductor", env })],
        },
      },
    },
  });
});

describe("the webhook configuration", () => {
  const PATH_IN_REPOSITORY = "webhook-config/mutating.yaml";

  test("sends only labelled workloads and our own objects to our Service, under our name", async () => {
    const own = {
      sideEffects: "None",
      failurePolicy: "Fail",
      clientConfig: { service: { name: SERVICE_NAME, namespace: SYSTEM_NAMESPACE, path: PATH.mutate } },
    };
    const webhook = {
      ...own,
      reinvocationPolicy: "IfNeeded",
      namespaceSelector: {
        matchExpressions: [{ operator: "NotIn", values: ["kube-system", SYSTEM_NAMESPACE] }],
      },
    };
    const labelled = { objectSelector: { matchExpressions: [{ key: LEASE_LABEL, operator: "Exists" }] } };
    const inTemplate = { expression: expect.stringContaining(`'${LEASE_LABEL}' in metadata.labels`) };
    const matchConditions = expect.arrayContaining([expect.objectContaining(inTemplate)]);
    expect(await manifest(PATH_IN_REPOSITORY)).toMatchObject({
      metadata: { name: WEBHOOK_CONFIGURATION },
      webhooks: [
        { ...webhook, ...labelled, name: "pods.konductor.io" },
        { ...webhook, ...labelled, name: "templates.konductor.io" },
        { ...webhook, matchConditions, name: "checks.konductor.io", failurePolicy: "Ignore" },
        { ...own, name: "requests.konductor.io" },
        { ...own, name: "leases.konductor.io" },
        { ...own, name: "pauses.konductor.io", failurePolicy: "Ignore" },
        { ...own, name: "deletions.konductor.io", failurePolicy: "Ignore" },
      ],
    });
  });

  test("leaves caBundle to konductor", async () => {
    expect(JSON.stringify(await manifest(PATH_IN_REPOSITORY))).not.toContain("caBundle");
  });
});

describe("every rule that exempts konductor", () => {
  const ACCOUNT = `system:serviceaccount:${SYSTEM_NAMESPACE}:${SERVICE_ACCOUNT}`;
  const isKonductor = { expression: `request.userInfo.username != '${ACCOUNT}'` };

  test.each([
    ["webhook-config/mutating.yaml", 1],
    ["webhook-config/policy.yaml", 2],
  ])("names konductor's account: %s", async (path, count) => {
    const text = JSON.stringify(await documents(path));
    expect(text.split(JSON.stringify(isKonductor).slice(1, -1)).length - 1).toBe(count);
    expect(text.split("system:serviceaccount:").length - 1).toBe(count);
  });
});

test("no user role grants access to a status", async () => {
  const roles = await documents("deploy/user-roles.yaml");
  expect(roles).toHaveLength(3);
  expect(JSON.stringify(roles)).not.toMatch(/status|\*/);
});
