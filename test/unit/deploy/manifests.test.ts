import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  LEASE_LABEL,
  PATH,
  SERVICE_NAME,
  SYSTEM_NAMESPACE,
  WEBHOOK_CONFIGURATION,
} from "../../../src/shared/names.ts";
import { packageVersion } from "../../../tools/build.ts";
import { NONROOT } from "../../../tools/image/root-filesystem.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** The only document of a manifest. */
async function manifest(path: string): Promise<unknown> {
  const [document, ...more] = parseAllDocuments(await readFile(join(ROOT, path), "utf8"), { merge: true });
  expect(more).toEqual([]);
  return document?.toJS();
}

test("the image's tag is the version in package.json", async () => {
  expect(await manifest("deploy/kustomization.yaml")).toMatchObject({
    configurations: ["image-fields.yaml"],
    images: [{ name: "konductor", newTag: await packageVersion(ROOT) }],
  });
});

test("container and KONDUCTOR_IMAGE name the image that kustomize tags, and run as the image's user", async () => {
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

  test("sends labelled objects only, to our Service, and bears our name", async () => {
    const webhook = {
      sideEffects: "None",
      reinvocationPolicy: "IfNeeded",
      clientConfig: { service: { name: SERVICE_NAME, namespace: SYSTEM_NAMESPACE, path: PATH.mutate } },
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
        { ...webhook, ...labelled, name: "pods.konductor.io", failurePolicy: "Fail" },
        { ...webhook, ...labelled, name: "templates.konductor.io", failurePolicy: "Fail" },
        { ...webhook, matchConditions, name: "checks.konductor.io", failurePolicy: "Ignore" },
      ],
    });
  });

  test("leaves caBundle to konductor", async () => {
    expect(JSON.stringify(await manifest(PATH_IN_REPOSITORY))).not.toContain("caBundle");
  });
});
