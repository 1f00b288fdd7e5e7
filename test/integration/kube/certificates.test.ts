import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { MUTATING_WEBHOOK_CONFIGURATIONS, SECRETS } from "../../../src/kube/resources.ts";
import { type Clock, systemClock } from "../../../src/shared/clock.ts";
import { list, record, text, textMap } from "../../../src/shared/json.ts";
import { certificatesIn } from "../../../src/shared/pem.ts";
import { createAuthority, LIVES } from "../../../src/tls/authority.ts";
import { patchCaBundle } from "../../../src/tls/ca-bundle.ts";
import { createServingCertificates } from "../../../src/tls/serving-certificate.ts";
import { connect, createNamespace, silent } from "./fixture.ts";

const client = connect();
let namespace: string;
beforeAll(async () => {
  namespace = await createNamespace(client);
});

const DAY_MS = 86_400_000;
const inDays = (days: number): Clock => ({ ...systemClock(), nowMs: () => Date.now() + days * DAY_MS });

interface Replica {
  dnsNames?: string[];
  clock?: Clock;
}

/** A running replica, which remembers what it has served. */
function replicaOf(
  secretName: string,
  { dnsNames = ["konductor.svc"], clock = systemClock() }: Replica = {},
) {
  return createServingCertificates({
    client,
    namespace,
    secretName,
    dnsNames,
    ipAddresses: ["10.0.0.1"],
    lives: LIVES,
    clock,
    logger: silent,
  });
}

/** Gets the certificates of a replica that has just started. */
const ensure = (secretName: string, replica: Replica = {}) => replicaOf(secretName, replica)();

async function stored(name: string) {
  const secret = record(await client.get(SECRETS, { namespace, name }));
  const data = textMap(secret["data"]);
  const pem = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  return { metadata: record(secret["metadata"]), ca: pem("ca.crt"), leaf: pem("tls.crt"), data };
}

test("replicas that start together serve certificates of one CA", async () => {
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

test("a leaf is kept while it is valid, and issued anew by the same CA after two thirds of its life", async () => {
  const first = await ensure("ageing");
  expect((await ensure("ageing", { clock: inDays(13) })).certPem).toBe(first.certPem);
  const second = await ensure("ageing", { clock: inDays(15) });
  expect(second.certPem).not.toBe(first.certPem);
  expect(second.caBundlePem).toBe(first.caBundlePem);
  expect(second.notAfterMs - first.notAfterMs).toBeGreaterThan(14 * DAY_MS);
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

test("the next CA is trusted for two months before it signs, and the previous CA until it expires", async () => {
  let day = 0;
  const clock = { ...systemClock(), nowMs: () => Date.now() + day * DAY_MS };
  const replica = replicaOf("rotated", { clock });
  const first = await replica();
  const seen = async (on: number) => {
    day = on;
    const { caBundlePem, certPem } = await replica();
    const bundle = certificatesIn(caBundlePem);
    const signer = bundle.findIndex((pem) =>
      new X509Certificate(certPem).verify(new X509Certificate(pem).publicKey),
    );
    return { bundle, signer: bundle[signer]?.trim() };
  };
  const [old = ""] = certificatesIn(first.caBundlePem);
  expect(await seen(242)).toEqual({ bundle: [old], signer: old });
  const { bundle: published } = await seen(245);
  expect(published).toEqual([old, expect.any(String)]);
  const next = published[1];
  expect(await seen(304)).toEqual({ bundle: [old, next], signer: old });
  // Another replica that starts meanwhile uses the Secret.
  expect((await ensure("rotated", { clock })).caBundlePem).toBe((await replica()).caBundlePem);
  expect(await seen(307)).toEqual({ bundle: [next, old], signer: next });
  expect(await seen(364)).toEqual({ bundle: [next, old], signer: next });
  expect(await seen(366)).toEqual({ bundle: [next], signer: next });
});

test("a CA of ten years keeps its life when konductor is updated: pods of that time trust no other after a reboot", async () => {
  const authority = await createAuthority(Date.now() - 420 * DAY_MS, 3_650 * DAY_MS);
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  const data = { "ca.crt": base64(authority.certPem), "ca.key": base64(authority.keyPem) };
  await client.create(SECRETS, { metadata: { namespace, name: "of-0.1.0" }, data });
  const [old] = certificatesIn(authority.certPem);
  const seen = async (days: number) => {
    const { caBundlePem, certPem } = await ensure("of-0.1.0", { clock: inDays(days) });
    const isOld = new X509Certificate(certPem).checkIssued(new X509Certificate(authority.certPem));
    return { bundle: certificatesIn(caBundlePem), isOld };
  };
  expect(await seen(0)).toEqual({ bundle: [old], isOld: true });
  expect(await seen(2_000)).toEqual({ bundle: [old], isOld: true });
  expect(await seen(2_020)).toEqual({ bundle: [old, expect.any(String)], isOld: true });
  expect(await seen(2_090)).toEqual({ bundle: [expect.any(String), old], isOld: false });
  expect((await seen(3_240)).bundle).not.toContain(old);
});

test("an expired CA is not used when a replica starts", async () => {
  const { caBundlePem } = await ensure("over");
  const later = await ensure("over", { clock: inDays(366) });
  expect(later.caBundlePem).not.toContain(certificatesIn(caBundlePem)[0]);
  expect(certificatesIn(later.caBundlePem)).toHaveLength(1);
});

test("what an admin adds to ca.crt is trusted from then on", async () => {
  const replica = replicaOf("added");
  const { caBundlePem } = await replica();
  const { certPem } = await createAuthority(Date.now());
  const both = Buffer.from(caBundlePem + certPem).toString("base64");
  const change = { data: { "ca.crt": both } };
  await client.patch(SECRETS, { namespace, name: "added" }, change, { type: "merge" });
  for (const each of [replica, replicaOf("added")])
    expect(certificatesIn((await each()).caBundlePem)).toEqual(certificatesIn(caBundlePem + certPem));
});

describe("a running replica restores its CA", () => {
  test.each<[string, (name: string) => Promise<unknown>]>([
    ["deleted", (name) => client.delete(SECRETS, { namespace, name })],
    ["damaged", (name) => change(name, { "ca.crt": "aGVsbG8=", "ca.key": "aGVsbG8=" })],
    ["emptied", (name) => change(name, undefined)],
  ])("after the Secret was %s", async (name, harm) => {
    const replica = replicaOf(name);
    const { caBundlePem } = await replica();
    await harm(name);
    const [one, two] = await Promise.all([replica(), replica()]);
    expect([one.caBundlePem, two.caBundlePem]).toEqual([caBundlePem, caBundlePem]);
    expect((await stored(name)).ca).toBe(caBundlePem);
    expect(await ensure(name)).toEqual(await replica());
  });

  test("after somebody replaced it with another CA, which is trusted from then on and signs later", async () => {
    const replica = replicaOf("foreign");
    const [own = ""] = certificatesIn((await replica()).caBundlePem);
    await ensure("stranger");
    const { data } = await stored("stranger");
    const [stranger = ""] = certificatesIn((await stored("stranger")).ca);
    await change("foreign", data);
    const { caBundlePem, certPem } = await replica();
    expect(certificatesIn(caBundlePem)).toEqual([own, stranger]);
    expect(new X509Certificate(certPem).checkIssued(new X509Certificate(own))).toBe(true);
    expect((await ensure("foreign")).caBundlePem).toBe(caBundlePem);
    expect(certificatesIn((await ensure("foreign", { clock: inDays(62) })).caBundlePem)).toEqual([
      stranger,
      own,
    ]);
  });

  async function change(name: string, data: unknown): Promise<void> {
    const secret = record(await client.get(SECRETS, { namespace, name }));
    await client.replace(SECRETS, { ...secret, data });
  }
});

test("a certificate that is no CA is not adopted, and the served CA is restored", async () => {
  const replica = replicaOf("no-authority");
  const { caBundlePem, certPem, keyPem } = await replica();
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  const secret = record(await client.get(SECRETS, { namespace, name: "no-authority" }));
  await client.replace(SECRETS, { ...secret, data: { "ca.crt": base64(certPem), "ca.key": base64(keyPem) } });
  await expect(ensure("no-authority")).rejects.toThrow("holds no readable certificates");
  expect((await replica()).caBundlePem).toBe(caBundlePem);
});

test("the same CA with other line ends counts as the same", async () => {
  const replica = replicaOf("line-ends");
  const { caBundlePem } = await replica();
  const secret = record(await client.get(SECRETS, { namespace, name: "line-ends" }));
  const data = textMap(secret["data"]);
  const unix = Buffer.from(
    Buffer.from(data["ca.crt"] ?? "", "base64")
      .toString()
      .replaceAll("\r", ""),
  ).toString("base64");
  await client.replace(SECRETS, { ...secret, data: { ...data, "ca.crt": unix } });
  expect(certificatesIn((await replica()).caBundlePem)).toHaveLength(certificatesIn(caBundlePem).length);
});

test("the CA bundle is written to every webhook, once, also if somebody else writes in between", async () => {
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

  const brief = await createAuthority(Date.now(), 60_000);
  const inBundle = async (ca: string, keepValidAtMs?: number) => {
    await patchCaBundle({ client, name, caBundlePem: ca, keepValidAtMs });
    const [entry] = list(record(await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name }))["webhooks"]);
    const caBundle = text(record(record(entry)["clientConfig"])["caBundle"]) ?? "";
    return certificatesIn(Buffer.from(caBundle, "base64").toString());
  };
  const [first = [], second = []] = [caBundlePem, brief.certPem].map(certificatesIn);
  // Whose files hold one of the two takes nothing from the other, until the other has expired.
  expect(await inBundle(brief.certPem, Date.now())).toEqual([...first, ...second]);
  expect(await patchCaBundle({ client, name, caBundlePem, keepValidAtMs: Date.now() })).toBe(false);
  expect(await inBundle(caBundlePem, Date.now() + 61_000)).toEqual(first);
  expect(await inBundle(brief.certPem)).toEqual(second);
  await client.delete(MUTATING_WEBHOOK_CONFIGURATIONS, { name });
});
