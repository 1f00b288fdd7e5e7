import { X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import {
  createAuthority,
  isFit,
  issueServingCertificate,
  type KeyPair,
  newSerialNumber,
  spanOf,
} from "../../../src/tls/authority.ts";
import { connectTo } from "./tls-call.ts";

const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
const NAMES = {
  dnsNames: ["konductor.konductor-system.svc", "konductor.konductor-system"],
  ipAddresses: ["127.0.0.1", "fd00::7"],
};
let authority: KeyPair;
let serving: KeyPair;

beforeAll(async () => {
  authority = await createAuthority(NOW_MS);
  serving = await issueServingCertificate(authority, NAMES, NOW_MS);
});

test("an authority lives for a year; a serving certificate is signed by it, is no authority itself, and lives for three weeks", () => {
  const ca = new X509Certificate(authority.certPem);
  const leaf = new X509Certificate(serving.certPem);
  expect(ca.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.checkIssued(ca)).toBe(true);
  const seconds = (ms: number) => Math.floor(ms / 1000);
  expect(seconds(Date.parse(ca.validTo))).toBe(seconds(NOW_MS + 365 * DAY_MS));
  expect(seconds(Date.parse(leaf.validTo))).toBe(seconds(NOW_MS + 21 * DAY_MS));
});

test("a serving certificate ends with its authority at the latest", async () => {
  const short = await createAuthority(NOW_MS, 60_000);
  const { certPem } = await issueServingCertificate(short, NAMES, NOW_MS + 20_000);
  expect(spanOf(certPem).endMs).toBe(spanOf(short.certPem).endMs);
});

test("an authority's path length is 0", () => {
  const der = new X509Certificate(authority.certPem).raw;
  // BasicConstraints (2.5.29.19), critical: cA TRUE, pathLenConstraint 0 (RFC 5280, 4.2.1.9).
  expect(der.includes(Buffer.from("0603551d130101ff040830060101ff020100", "hex"))).toBe(true);
});

test.each([...NAMES.dnsNames, "127.0.0.1"])(
  "a TLS client that trusts the authority accepts it for %s",
  async (name) => {
    await connectTo(serving, authority.certPem, name);
  },
);

test("a TLS client accepts it even if its clock is up to a day behind the issuing replica's", async () => {
  const aheadMs = NOW_MS + 23 * 3_600_000;
  const ahead = await createAuthority(aheadMs);
  await connectTo(await issueServingCertificate(ahead, NAMES, aheadMs), ahead.certPem, "127.0.0.1");
});

test("a certificate is fit for two thirds of its life, for its own names, under the authority that signed it", async () => {
  const twoThirdsMs = (21 * DAY_MS * 2) / 3;
  const hourMs = 3_600_000;
  expect(isFit(serving, authority, NAMES, NOW_MS)).toBe(true);
  expect(isFit(serving, authority, NAMES, NOW_MS + twoThirdsMs - hourMs)).toBe(true);
  expect(isFit(serving, authority, NAMES, NOW_MS + twoThirdsMs + hourMs)).toBe(false);
  expect(isFit(serving, authority, { ...NAMES, dnsNames: ["other.svc"] }, NOW_MS)).toBe(false);
  expect(isFit(serving, authority, { ...NAMES, ipAddresses: ["10.0.0.1"] }, NOW_MS)).toBe(false);
  expect(isFit(serving, await createAuthority(NOW_MS), NAMES, NOW_MS)).toBe(false);
});

test("text that is not PEM is an error, not an unfit certificate", () => {
  expect(() => isFit({ ...serving, certPem: "hello" }, authority, NAMES, NOW_MS)).toThrow();
});

test("a serial number is positive, and not too long", () => {
  for (let count = 0; count < 2_000; count++) expect(newSerialNumber()).toMatch(/^[4-7][0-9a-f]{31}$/);
});
