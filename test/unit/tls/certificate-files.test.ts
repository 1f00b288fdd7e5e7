/** A certificate from files: what is served, what is trusted, and what is refused by which sentence. */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import forge from "node-forge";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { certificatesIn } from "../../../src/shared/pem.ts";
import {
  createAuthority,
  issueServingCertificate,
  type KeyPair,
  newSerialNumber,
} from "../../../src/tls/authority.ts";
import { createCertificateFiles } from "../../../src/tls/certificate-files.ts";
import { connectTo } from "./tls-call.ts";

const HOST = "konductor.konductor-system.svc";
const NAMES = { dnsNames: [HOST], ipAddresses: [] };
const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000;
const HOUR_MS = 3_600_000;
/** Of a serving certificate. It is valid from a day before, too. */
const LIFE_MS = 36 * HOUR_MS;

type Files = Record<string, string>;

let [first, second]: KeyPair[] = [];
let ofFirst: Files;
let ofSecond: Files;
beforeAll(async () => {
  [first, second] = await Promise.all([0, 1].map(() => createAuthority(NOW_MS, 1_000 * HOUR_MS)));
  [ofFirst, ofSecond] = await Promise.all([issued(pair(first)), issued(pair(second))]);
});

function pair(found: KeyPair | undefined): KeyPair {
  return found ?? expect.fail("there is no authority");
}

/** What a Secret holds in which `authority` has issued at `sinceMs`. */
async function issued(authority: KeyPair, sinceMs = 0, names = NAMES, lifeMs = LIFE_MS): Promise<Files> {
  const serving = await issueServingCertificate(authority, names, NOW_MS + sinceMs, lifeMs);
  return { "tls.crt": serving.certPem, "tls.key": serving.keyPem, "ca.crt": authority.certPem };
}

/** The certificate once more, with another serial number and what `change` does, signed by `signer`. */
function signedAgain(
  certPem: string,
  signer: KeyPair,
  change: (certificate: forge.pki.Certificate) => void = () => {},
): string {
  const certificate = forge.pki.certificateFromPem(certPem);
  certificate.serialNumber = newSerialNumber();
  certificate.setIssuer(forge.pki.certificateFromPem(signer.certPem).subject.attributes);
  change(certificate);
  certificate.sign(forge.pki.privateKeyFromPem(signer.keyPem), forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

let files: Files;
let nowMs: number;
let log: Record<string, unknown>[];
beforeEach(() => {
  files = ofFirst;
  nowMs = NOW_MS;
  log = [];
});

async function readNow(path: string): Promise<string> {
  return files[basename(path)] ?? Promise.reject(new Error("no such file"));
}

/** A replica that starts. */
function start({ read = readNow, ipAddresses = [] as string[] } = {}) {
  return createCertificateFiles({
    dir: "/certs",
    dnsNames: [HOST],
    ipAddresses,
    clock: { ...systemClock(), nowMs: () => nowMs },
    logger: createLogger({ destination: { write: (line) => void log.push(JSON.parse(line)) } }),
    read,
  });
}

const warnings = () => log.filter(({ level }) => level === "warn").map(({ msg }) => msg);
const trimmed = (...pems: (string | undefined)[]) => pems.map((pem) => pem?.replaceAll("\r", "").trim());

test("what the files hold is served and trusted, and a client that trusts it accepts it", async () => {
  const { certPem, keyPem, caBundlePem, notAfterMs } = await start()();
  expect([certPem, keyPem]).toEqual([ofFirst["tls.crt"], ofFirst["tls.key"]]);
  expect(certificatesIn(caBundlePem)).toEqual(trimmed(first?.certPem));
  expect(notAfterMs).toBe(NOW_MS + LIFE_MS);
  await connectTo({ certPem, keyPem }, caBundlePem, HOST);
});

test("every certificate of ca.crt is trusted", async () => {
  files = { ...ofFirst, "ca.crt": pair(second).certPem + pair(first).certPem };
  const { caBundlePem } = await start()();
  expect(certificatesIn(caBundlePem)).toEqual(trimmed(second?.certPem, first?.certPem));
});

test("a certificate between the serving one and the CA is served with it", async () => {
  const root = pair(first);
  const rootPem = signedAgain(root.certPem, root, (certificate) =>
    certificate.setExtensions([{ name: "basicConstraints", cA: true, critical: true }]),
  );
  const between = signedAgain(pair(second).certPem, root);
  files = { ...ofSecond, "tls.crt": `${ofSecond["tls.crt"]}${between}`, "ca.crt": rootPem };
  const { caBundlePem, ...served } = await start()();
  await connectTo(served, caBundlePem, HOST);
});

test("a volume that the kubelet swaps is read through its link", async () => {
  const dir = await mkdtemp(join(tmpdir(), "konductor-certs-"));
  async function swap(version: string, content: Files): Promise<void> {
    await mkdir(join(dir, version));
    for (const [name, text] of Object.entries(content)) await writeFile(join(dir, version, name), text);
    await symlink(version, join(dir, "..data_tmp"));
    await rename(join(dir, "..data_tmp"), join(dir, "..data"));
  }
  try {
    await swap("..1", ofFirst);
    for (const name of Object.keys(ofFirst)) await symlink(join("..data", name), join(dir, name));
    const clock = { ...systemClock(), nowMs: () => NOW_MS };
    const source = createCertificateFiles({
      ...NAMES,
      dir,
      clock,
      logger: createLogger({ level: "silent" }),
    });
    expect((await source()).certPem).toBe(ofFirst["tls.crt"]);
    const renewed = await issued(pair(first), 1_000);
    await swap("..2", renewed);
    await rm(join(dir, "..1"), { recursive: true });
    expect((await source()).certPem).toBe(renewed["tls.crt"]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe("files that are swapped while they are read", () => {
  test.each(["tls.crt", "tls.key", "ca.crt"])("after %s: the new ones are served, whole", async (last) => {
    const renewed = await issued(pair(first), 1_000);
    const source = start({
      read(path) {
        const text = readNow(path);
        if (basename(path) === last && files !== ofFirst) files = renewed;
        return text;
      },
    });
    await source();
    files = { ...ofFirst };
    expect((await source()).certPem).toBe(renewed["tls.crt"]);
    expect(log).toMatchObject([{ msg: "serving another certificate" }]);
  });

  test("again and again are not served", async () => {
    let reads = 0;
    const source = start({ read: async (path) => `${await readNow(path)}${reads++}` });
    await expect(source()).rejects.toThrow("the files of /certs change while they are read");
  });
});

describe("at the start, one sentence says which file is wrong, and what to do", () => {
  const without = (name: string): Files => ({ ...ofFirst, [name]: "" });
  const CASES: [what: string, change: () => Files | Promise<Files>, sentence: string][] = [
    [
      "no ca.crt",
      () => ({ "tls.crt": "x", "tls.key": "y" }),
      "/certs/ca.crt cannot be read; mount a Secret there that has tls.crt, tls.key and ca.crt: no such file",
    ],
    [
      "an empty tls.crt",
      () => without("tls.crt"),
      "/certs/tls.crt holds no certificate; put one in PEM there",
    ],
    ["an empty tls.key", () => without("tls.key"), "/certs/tls.key holds no private key; put one in PEM"],
    ["an empty ca.crt", () => without("ca.crt"), "/certs/ca.crt holds no certificate; put the CA"],
    [
      "a damaged ca.crt",
      () => ({ ...ofFirst, "ca.crt": `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n` }),
      "/certs/ca.crt holds a certificate that cannot be read",
    ],
    [
      "a very long ca.crt",
      () => ({ ...ofFirst, "ca.crt": pair(first).certPem.repeat(40) }),
      "/certs/ca.crt is longer than 16384 bytes; name only CAs that sign tls.crt",
    ],
    [
      "another key",
      () => ({ ...ofFirst, "tls.key": ofSecond["tls.key"] ?? "" }),
      "/certs/tls.key is not the key of tls.crt; put both there from the same issuance",
    ],
    [
      "another CA",
      () => ({ ...ofFirst, "ca.crt": pair(second).certPem }),
      "/certs/tls.crt was signed by no self-signed CA of ca.crt that is valid now; put that CA there",
    ],
    [
      "a CA that has expired",
      () => {
        const brief = signedAgain(pair(first).certPem, pair(first), ({ validity }) => {
          validity.notAfter = new Date(NOW_MS - 1_000);
        });
        return { ...ofFirst, "ca.crt": brief };
      },
      "/certs/tls.crt was signed by no self-signed CA of ca.crt that is valid now",
    ],
    ["an expired certificate", () => issued(pair(first), -LIFE_MS - 1_000), "/certs/tls.crt has expired at "],
    [
      "one that is not valid yet",
      () => issued(pair(first), 2 * 86_400_000),
      "/certs/tls.crt is not valid before ",
    ],
    [
      "another name",
      () => issued(pair(first), 0, { ...NAMES, dnsNames: ["konductor.default.svc"] }),
      `/certs/tls.crt does not name ${HOST}; have it issued with that name`,
    ],
    [
      "one for clients",
      () => {
        const forClients = signedAgain(ofFirst["tls.crt"] ?? "", pair(first), (certificate) =>
          certificate.setExtensions([
            { name: "extKeyUsage", clientAuth: true },
            { name: "subjectAltName", altNames: [{ type: 2, value: HOST }] },
          ]),
        );
        return { ...ofFirst, "tls.crt": forClients };
      },
      "/certs/tls.crt is not for servers; have it issued with the usage `server auth`",
    ],
  ];
  test.each(CASES)("%s", async (_, change, sentence) => {
    const source = start();
    files = await change();
    await expect(source()).rejects.toSatisfy((error: Error & { cause?: Error }) =>
      `${error.message}${error.cause ? `: ${error.cause.message}` : ""}`.startsWith(sentence),
    );
    files = ofFirst;
    expect((await source()).certPem).toBe(ofFirst["tls.crt"]);
  });

  test("an address of --tls-address that it does not name", async () => {
    await expect(start({ ipAddresses: ["10.0.0.1"] })()).rejects.toThrow("tls.crt does not name 10.0.0.1");
  });
});

test("while it runs, bad files are told once, and the last good ones are served", async () => {
  const source = start();
  await source();
  const mismatched = { ...ofFirst, "tls.key": ofSecond["tls.key"] ?? "" };
  for (const next of [mismatched, mismatched, ofFirst, mismatched, {}]) {
    files = next;
    expect(await source()).toMatchObject({ certPem: ofFirst["tls.crt"], keyPem: ofFirst["tls.key"] });
  }
  const mismatch = expect.stringMatching(/^\/certs\/tls\.key is not the key of tls\.crt; .* served last/);
  expect(warnings()).toEqual([mismatch, mismatch, expect.stringContaining("cannot be read")]);
});

test("a certificate that nobody renews is told about in the last sixth of its life, and when it has expired", async () => {
  const source = start();
  nowMs = NOW_MS + LIFE_MS;
  await source();
  await source();
  nowMs += 1_000;
  expect((await source()).certPem).toBe(ofFirst["tls.crt"]);
  const time = new Date(NOW_MS + LIFE_MS).toISOString();
  expect(warnings()).toEqual([
    `/certs/tls.crt expires at ${time}; have it renewed`,
    expect.stringContaining(`/certs/tls.crt has expired at ${time}; have the certificate renewed`),
  ]);
});

describe("another CA", () => {
  test("is told at once, and its certificate served when half of what the old one had left is over", async () => {
    const source = start();
    await source();
    const later = await issued(pair(second), 12 * HOUR_MS);
    for (const sinceMs of [12 * HOUR_MS, 24 * HOUR_MS - 1]) {
      files = later;
      nowMs = NOW_MS + sinceMs;
      const { certPem, caBundlePem } = await source();
      expect(certPem).toBe(ofFirst["tls.crt"]);
      expect(certificatesIn(caBundlePem)).toEqual(trimmed(second?.certPem, first?.certPem));
    }
    const until = new Date(NOW_MS + 24 * HOUR_MS).toISOString();
    expect(warnings()).toEqual([
      expect.stringContaining(`do not trust yet: until ${until} the certificate before is served`),
    ]);
    nowMs = NOW_MS + 24 * HOUR_MS;
    expect((await source()).certPem).toBe(later["tls.crt"]);
    // Another replica may serve the old one until that ends.
    nowMs = NOW_MS + LIFE_MS;
    expect(certificatesIn((await source()).caBundlePem)).toHaveLength(2);
    nowMs += 1;
    expect(certificatesIn((await source()).caBundlePem)).toEqual(trimmed(second?.certPem));
  });

  test("waits for a day at most", async () => {
    files = await issued(pair(first), 0, NAMES, 480 * HOUR_MS);
    const source = start();
    await source();
    files = await issued(pair(second), 0, NAMES, 480 * HOUR_MS);
    const isNew = async () => (await source()).certPem === files["tls.crt"];
    expect(await isNew()).toBe(false);
    nowMs = NOW_MS + 24 * HOUR_MS - 1;
    expect(await isNew()).toBe(false);
    nowMs++;
    expect(await isNew()).toBe(true);
  });

  test("waits no longer where it issues again meanwhile", async () => {
    const source = start();
    await source();
    files = ofSecond;
    await source();
    nowMs = NOW_MS + LIFE_MS / 2;
    files = await issued(pair(second), LIFE_MS / 2);
    expect((await source()).certPem).toBe(files["tls.crt"]);
  });

  test("is served at once by a replica that starts, and where the old certificate has expired", async () => {
    files = ofSecond;
    expect((await start()()).certPem).toBe(ofSecond["tls.crt"]);
    files = ofFirst;
    const source = start();
    await source();
    nowMs = NOW_MS + LIFE_MS + 1;
    files = await issued(pair(second), LIFE_MS);
    expect((await source()).certPem).toBe(files["tls.crt"]);
  });

  test("that was in ca.crt before for long enough signs at once, and not before", async () => {
    const source = start();
    await source();
    const both = `${pair(first).certPem}${pair(second).certPem}`;
    files = { ...ofFirst, "ca.crt": both };
    await source();
    files = { ...ofSecond, "ca.crt": both };
    nowMs = NOW_MS + LIFE_MS / 2 - 1;
    expect((await source()).certPem).toBe(ofFirst["tls.crt"]);
    nowMs = NOW_MS + LIFE_MS / 2;
    expect((await source()).certPem).toBe(ofSecond["tls.crt"]);
  });

  test("certificate of the same key signs at once", async () => {
    const source = start();
    await source();
    const renewed = await issued(pair(first), 1_000);
    const again = signedAgain(pair(first).certPem, pair(first));
    files = { ...renewed, "ca.crt": again };
    const { certPem, keyPem, caBundlePem } = await source();
    expect(certPem).toBe(renewed["tls.crt"]);
    expect(certificatesIn(caBundlePem)).toEqual(trimmed(again, first?.certPem));
    await connectTo({ certPem, keyPem }, pair(first).certPem, HOST);
    expect(warnings()).toEqual([]);
  });
});

test("a bundle stays short enough for an answer, however often the CA changes", async () => {
  const current = start();
  await current();
  const others = () =>
    Array.from({ length: 9 }, () => signedAgain(pair(second).certPem, pair(second))).join("");
  for (let change = 0; change < 7; change++) {
    files = { ...ofFirst, "ca.crt": pair(first).certPem + others() };
    const { certPem, caBundlePem } = await current();
    expect(certPem).toBe(ofFirst["tls.crt"]);
    expect(Buffer.byteLength(caBundlePem)).toBeLessThan(49_152);
  }
  expect(log.map(({ msg }) => msg).join("\n")).toContain(
    "longer than 49152 bytes together; change CAs more slowly",
  );
});
