/** What counts as a damaged Secret; what replicas make of one is also tested on a real API server. */
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record, textMap } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { createAuthority, type KeyPair, LIVES } from "../../../src/tls/authority.ts";
import { createServingCertificates } from "../../../src/tls/serving-certificate.ts";
import { scriptedClient } from "../client/scripted-client.ts";

let secret: unknown;
beforeEach(() => {
  secret = undefined;
});

const write = async (_: unknown, object: object) => {
  secret = object;
};
const calls = {
  async get() {
    return secret ?? Promise.reject(new KonductorError("NotFound", "there is none"));
  },
  create: write,
  replace: write,
};
const client = scriptedClient(calls as unknown as Partial<KubeClient>);

const aReplica = () =>
  createServingCertificates({
    client,
    namespace: "konductor-system",
    secretName: "konductor-tls",
    dnsNames: ["konductor.svc"],
    ipAddresses: [],
    lives: LIVES,
    clock: systemClock(),
    logger: createLogger({ level: "silent" }),
  });

const bundle = () => Buffer.from(textMap(record(secret)["data"])["ca.crt"] ?? "", "base64").toString();

function store(pems: Record<string, string>): void {
  const changed = Object.entries(pems).map(([key, pem]) => [key, Buffer.from(pem).toString("base64")]);
  secret = { ...record(secret), data: { ...record(record(secret)["data"]), ...Object.fromEntries(changed) } };
}

let other: KeyPair;
beforeAll(async () => {
  other = await createAuthority(Date.now());
});

describe("a certificate behind the first one", () => {
  const DAMAGES: [string, (pem: string) => string][] = [
    ["is no certificate", () => "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"],
    ["is cut off", (pem) => pem.slice(0, pem.length / 2)],
    ["has other characters", (pem) => pem.replace("MII", "M-I")],
  ];
  test.each([
    ...DAMAGES,
    ["makes the bundle longer than an answer may be", (pem: string) => pem.repeat(50)] as const,
  ])("that %s is damage of the Secret", async (_, damage) => {
    const replica = aReplica();
    const { caBundlePem } = await replica();
    store({ "ca.crt": caBundlePem + damage(other.certPem) });
    await expect(aReplica()()).rejects.toMatchObject({
      code: "Invalid",
      message: expect.stringContaining(
        "Secret konductor-system/konductor-tls holds no readable certificates",
      ),
    });
    expect((await replica()).caBundlePem).toBe(caBundlePem);
    expect(bundle()).toBe(caBundlePem);
  });

  test.each(DAMAGES)("that %s is so in next-ca.crt, too", async (_, damage) => {
    const replica = aReplica();
    const { caBundlePem } = await replica();
    store({ "next-ca.crt": other.certPem + damage(other.certPem), "next-ca.key": other.keyPem });
    await expect(aReplica()()).rejects.toMatchObject({ code: "Invalid" });
    expect((await replica()).caBundlePem).toBe(caBundlePem);
  });

  test("that is whole stays trusted", async () => {
    const replica = aReplica();
    const { caBundlePem } = await replica();
    store({ "ca.crt": caBundlePem + other.certPem });
    expect((await replica()).caBundlePem).toBe(`${caBundlePem}${other.certPem.trim()}\n`);
  });
});

test("a first certificate under another heading than ours, which could not be served, is damage, too", async () => {
  const replica = aReplica();
  const { caBundlePem } = await replica();
  store({ "ca.crt": caBundlePem.replaceAll(" CERTIFICATE-", " X509 CERTIFICATE-") });
  await expect(aReplica()()).rejects.toMatchObject({ code: "Invalid" });
  expect((await replica()).caBundlePem).toBe(caBundlePem);
});
