/** konductor's admission on loopback, and the project's webhook configuration changed to call it there. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fastify } from "fastify";
import { parse } from "yaml";
import { NO_OWN_RESOURCES } from "../../src/lease/own-resources.ts";
import { parseLimitRange } from "../../src/objects/limit-ranges.ts";
import type { AdmissionContext } from "../../src/server/admission/admission-context.ts";
import { admissionPlugin } from "../../src/server/admission/plugin.ts";
import { boundsFor } from "../../src/server/bounds/bounds.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { list, record } from "../../src/shared/json.ts";
import { createLogger } from "../../src/shared/log.ts";
import { accountName } from "../../src/shared/names.ts";
import { createAuthority, issueServingCertificate } from "../../src/tls/authority.ts";
import { NAMESPACES, narrowRange } from "./admission-objects.ts";

const WEBHOOKS = join(import.meta.dirname, "../../webhook-config/mutating.yaml");
export const WEBHOOKS_NAME = "admission-test";

export interface AdmissionServer {
  /** The MutatingWebhookConfiguration that calls the server. */
  readonly configuration: object;
  stop(): Promise<void>;
}

/** A cluster whose pods can fence, with the klease `nightly`. */
export const CONTEXT: AdmissionContext = {
  features: () => ({ canFence: () => true }),
  leases: { get: (_namespace, name) => (name === "nightly" ? { ttlMs: 600_000 } : undefined) },
  injection: () => ({
    image: "konductor:test",
    nodePath: "/usr/bin/node",
    program: undefined,
    imagePullSecrets: [],
    runAsUser: 65_532,
    resources: NO_OWN_RESOURCES,
    url: "https://10.96.0.7:443",
    host: "konductor.konductor-system.svc",
    ca: "-----BEGIN CERTIFICATE-----\n",
    version: "test",
  }),
  limitRanges: {
    in: (namespace) => (namespace === NAMESPACES.narrow ? parseLimitRange(narrowRange()).containers : []),
  },
  imageArchitectures: ["amd64", "arm64"],
  notices: [],
  account: accountName("konductor-system"),
  systemNamespaces: ["kube-system", "konductor-system"],
  createMissingLeases: true,
  clock: systemClock(),
  logger: createLogger({ level: "silent" }),
};

/** With `namespaces`, the webhook is called for these only. */
export async function startAdmission(namespaces?: readonly string[]): Promise<AdmissionServer> {
  const authority = await createAuthority(Date.now());
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const { certPem, keyPem } = await issueServingCertificate(authority, names, Date.now());
  const app = fastify({
    https: { cert: certPem, key: keyPem },
    keepAliveTimeout: 95_000,
    forceCloseConnections: true,
  });
  await app.register(admissionPlugin(CONTEXT, boundsFor(1024 ** 3)));
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    configuration: await configurationFor(url, authority.certPem, namespaces),
    stop: () => app.close(),
  };
}

async function configurationFor(url: string, ca: string, namespaces: readonly string[] | undefined) {
  const given = record(parse(await readFile(WEBHOOKS, "utf8")));
  const matchExpressions = [{ key: "kubernetes.io/metadata.name", operator: "In", values: namespaces }];
  const webhooks = list(given["webhooks"]).map((entry) => {
    const path = record(record(record(entry)["clientConfig"])["service"])["path"];
    const clientConfig = { url: `${url}${path}`, caBundle: Buffer.from(ca).toString("base64") };
    return { ...record(entry), clientConfig, ...(namespaces && { namespaceSelector: { matchExpressions } }) };
  });
  return { ...given, metadata: { name: WEBHOOKS_NAME }, webhooks };
}
