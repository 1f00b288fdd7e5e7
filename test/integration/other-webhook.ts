/** Another mutating webhook beside konductor's, on loopback. */

import type { Operation } from "fast-json-patch";
import { fastify } from "fastify";
import { record } from "../../src/shared/json.ts";
import { createAuthority, issueServingCertificate } from "../../src/tls/authority.ts";
import type { Kubectl } from "./kubectl.ts";

export interface OtherWebhook {
  /** Webhooks are called in the order of their configurations' names. */
  name: string;
  /** The webhook is called for the creation of pods with these labels. */
  matchLabels: Readonly<Record<string, string>>;
  reinvocationPolicy?: "Never" | "IfNeeded";
  change(pod: Record<string, unknown>): readonly Operation[];
}

/** Resolves once the configuration exists, with a function that removes the webhook. */
export async function startOtherWebhook(
  kubectl: Kubectl,
  { name, matchLabels, reinvocationPolicy = "Never", change }: OtherWebhook,
): Promise<() => Promise<void>> {
  const authority = await createAuthority(Date.now());
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const { certPem, keyPem } = await issueServingCertificate(authority, names, Date.now());
  const app = fastify({ https: { cert: certPem, key: keyPem }, forceCloseConnections: true });
  app.post("/", async ({ body }) => {
    const request = record(record(body)["request"]);
    const patch = JSON.stringify(change(record(request["object"])));
    return {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        ...{ uid: request["uid"], allowed: true },
        ...{ patchType: "JSONPatch", patch: Buffer.from(patch).toString("base64") },
      },
    };
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const webhook = {
    name: "other.example.com",
    rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
    objectSelector: { matchLabels },
    ...{ reinvocationPolicy, sideEffects: "None", admissionReviewVersions: ["v1"] },
    clientConfig: { url, caBundle: Buffer.from(authority.certPem).toString("base64") },
  };
  const configuration = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name },
    webhooks: [webhook],
  };
  await kubectl.withObject(configuration, "create");
  return async () => {
    await kubectl("delete", `mutatingwebhookconfiguration/${name}`, "--ignore-not-found");
    await app.close();
  };
}
