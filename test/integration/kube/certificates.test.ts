import { X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { MUTATING_WEBHOOK_CONFIGURATIONS, SECRETS } from "../../../src/kube/resources.ts";
import { type Clock, systemClock } from "../../../src/shared/clock.ts";
import { list, record, textMap } from "../../../src/shared/json.ts";
import { patchCaBundle } from "../../../src/tls/ca-bundle.ts";
import { ensureServingCertificate } from "../../../src/tls/serving-certificate.ts";
import { connect, createNamespace, silent } from "./fixture.ts";

const client = connect();
let namespace: string;
beforeAll(async () => {
  namespace = await createNamespace(client);
});

const DAY_MS = 86_400_000;
const inDays = (days: number): Clock => ({ ...systemClock(), nowMs: () => Date.now() + days * DAY_MS });

function ensure(secretName: string, { dnsNames = ["konductor.svc"], clock = systemClock() } = {}) {
  return ensureServingCertificate({
    client,
    namespace,
    secretName,
    dnsNames,
    ipAddresses: ["10.0.0.1"],
    clock,
    logger: silent,
  });
}

async function stored(name: string) {
  const secret = record(await client.get(SECRETS, { namespace, name }));
  const data = textMap(secret["data"]);
  const pem = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  return { metadata: record(secret["metadata"]), ca: pem("ca.crt"), leaf: pem("tls.crt"), data };
}

test("replicas that start together serve certificates of one authority", async () => {
  const all = await Promise.all([ensure("together"), ensure("together"), ensure("together")]);
  const { ca, leaf } = await stored("together");
  for (const { caBundlePem, certPem } of all) expect([caBundlePem, certPem]).toEqual([ca, leaf]);
});

test("a Secret that kustomize applied empty is filled, by one of the replicas, and keeps its labels", async () => {
  await client.create(SECRETS, {
    metadata: { namespace, name: "empty", labels: { app: "konductor" } },
    type: "Opaque",
  });
  const [one, two] = await Promise.all([ensure("empty"), ensure("empty")]);
  const { ca, metadata } = await stored("empty");
  expect([one.caBundlePem, two.caBundlePem]).toEqual([ca, ca]);
  expect(metadata["labels"]).toEqual({ app: "konductor" });
});

test("a leaf is kept while it is fit, and issued anew from the same authority after two thirds of its life", async () => {
  const first = await ensure("ageing");
  expect((await ensure("ageing", { clock: inDays(59) })).certPem).toBe(first.certPem);
  const second = await ensure("ageing", { clock: inDays(61) });
  expect(second.certPem).not.toBe(first.certPem);
  expect(second.caBundlePem).toBe(first.caBundlePem);
  expect(second.notAfterMs - first.notAfterMs).toBeGreaterThan(60 * DAY_MS);
  expect((await stored("ageing")).leaf).toBe(second.certPem);
});

test("a leaf that lacks a name is issued anew", async () => {
  const first = await ensure("names");
  const second = await ensure("names", { dnsNames: ["konductor.svc", "other.svc"] });
  expect(new X509Certificate(second.certPem).subjectAltName).toContain("DNS:other.svc");
  expect(second.caBundlePem).toBe(first.caBundlePem);
});

test.each([
  ["garbage", { "ca.crt": "aGVsbG8=", "ca.key": "aGVsbG8=" }],
  ["half", { "ca.crt": "aGVsbG8=" }],
])("a damaged Secret (%s) is named in the error, and left alone", async (name, data) => {
  await client.create(SECRETS, { metadata: { namespace, name }, data });
  await expect(ensure(name)).rejects.toMatchObject({
    code: "Invalid",
    message: expect.stringContaining(
      `Secret ${namespace}/${name} holds no readable certificates; restore it, or delete it`,
    ),
  });
  expect((await stored(name)).data).toEqual(data);
});

test("the CA bundle comes into every webhook, once, also when somebody writes in between", async () => {
  const name = namespace;
  const webhook = (index: number) => ({
    name: `w${index}.konductor.test`,
    clientConfig: { url: "https://127.0.0.1:1/" },
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Ignore",
    rules: [
      { apiGroups: ["konductor.test"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["nothing"] },
    ],
  });
  await client.create(MUTATING_WEBHOOK_CONFIGURATIONS, {
    metadata: { name },
    webhooks: [webhook(1), webhook(2)],
  });
  const { caBundlePem } = await ensure("bundle");
  let isDisturbed = false;
  const disturbed: typeof client = {
    ...client,
    async get(...call: [never, never]) {
      const answer = await client.get(...call);
      if (!isDisturbed) {
        isDisturbed = true;
        const labels = { metadata: { labels: { touched: "yes" } } };
        await client.patch(MUTATING_WEBHOOK_CONFIGURATIONS, { name }, labels, { type: "merge" });
      }
      return answer;
    },
  };
  expect(await patchCaBundle({ client: disturbed, name, caBundlePem })).toBe(true);
  expect(await patchCaBundle({ client, name, caBundlePem })).toBe(false);
  const configuration = record(await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name }));
  const bundles = list(configuration["webhooks"]).map(
    (entry) => record(record(entry)["clientConfig"])["caBundle"],
  );
  expect(bundles).toEqual(Array(2).fill(Buffer.from(caBundlePem).toString("base64")));
  expect(record(configuration["metadata"])["labels"]).toEqual({ touched: "yes" });
  await client.delete(MUTATING_WEBHOOK_CONFIGURATIONS, { name });
});
