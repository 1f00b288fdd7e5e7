/**
 * Our own certificate authority and the serving certificate it signs. Keys are made by Node (RSA-2048, 141 ms), certificates by
 * node-forge. After cert-manager's webhook authority: CA and leaf have separate lives.
 */
import { generateKeyPair, randomBytes, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import forge from "node-forge";

const DAY_MS = 86_400_000;
/** For how long certificates are valid. */
export interface Lives {
  caMs: number;
  servingMs: number;
}
export const LIVES: Lives = { caMs: 365 * DAY_MS, servingMs: 21 * DAY_MS };
/**
 * A certificate is valid from a day before it was made: nobody accepts one that is not valid yet. It is made by the time of one API server,
 * and checked by others, whose clocks may be behind, and by gates on nodes with any time of day.
 */
const BACKDATE_MS = DAY_MS;
const KEY_BITS = 2_048;

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  certPem: string;
  keyPem: string;
}

export interface ServingNames {
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
}

/**
 * A new self-signed authority, which signs nothing but serving certificates. It has a name of its own: by the name a TLS client chooses among
 * those that it trusts.
 */
export async function createAuthority(nowMs: number, lifeMs = LIVES.caMs): Promise<KeyPair> {
  const keyPem = await createKey();
  const key = forge.pki.privateKeyFromPem(keyPem);
  const certificate = blankCertificate(forge.pki.setRsaPublicKey(key.n, key.e), nowMs, lifeMs);
  const name = [{ name: "commonName", value: `konductor ${certificate.serialNumber.slice(0, 12)}` }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
  ]);
  certificate.sign(key, forge.md.sha256.create());
  return { certPem: forge.pki.certificateToPem(certificate), keyPem };
}

/** A serving certificate for `names`, signed by `authority`, and valid no longer than that. */
export async function issueServingCertificate(
  authority: KeyPair,
  { dnsNames, ipAddresses }: ServingNames,
  nowMs: number,
  lifeMs = LIVES.servingMs,
): Promise<KeyPair> {
  const keyPem = await createKey();
  const key = forge.pki.privateKeyFromPem(keyPem);
  const leftMs = spanOf(authority.certPem).endMs - nowMs;
  const publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  const certificate = blankCertificate(publicKey, nowMs, Math.min(lifeMs, leftMs));
  certificate.setSubject([{ name: "commonName", value: dnsNames[0] ?? "konductor" }]);
  certificate.setIssuer(forge.pki.certificateFromPem(authority.certPem).subject.attributes);
  certificate.setExtensions([
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true },
    {
      name: "subjectAltName",
      altNames: [
        ...dnsNames.map((value) => ({ type: SAN_DNS, value })),
        ...ipAddresses.map((ip) => ({ type: SAN_IP, ip })),
      ],
    },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(authority.keyPem), forge.md.sha256.create());
  return { certPem: forge.pki.certificateToPem(certificate), keyPem };
}

/** GeneralName tags of RFC 5280. */
const SAN_DNS = 2;
const SAN_IP = 7;

/** When a certificate of ours was made, and when it ends. */
export function spanOf(certPem: string): { madeMs: number; endMs: number } {
  const { validFrom, validTo } = new X509Certificate(certPem);
  return { madeMs: Date.parse(validFrom) + BACKDATE_MS, endMs: Date.parse(validTo) };
}

/** Whether `serving` can still be served: signed by `authority`, names everything, and less than two thirds of its life are over. */
export function isFit(serving: KeyPair, authority: KeyPair, names: ServingNames, nowMs: number): boolean {
  const certificate = new X509Certificate(serving.certPem);
  const signer = new X509Certificate(authority.certPem);
  const { madeMs, endMs } = spanOf(serving.certPem);
  return (
    certificate.verify(signer.publicKey) &&
    nowMs < madeMs + ((endMs - madeMs) * 2) / 3 &&
    names.dnsNames.every((name) => certificate.checkHost(name) !== undefined) &&
    names.ipAddresses.every((ip) => certificate.checkIP(ip) !== undefined)
  );
}

const generate = promisify(generateKeyPair);

async function createKey(): Promise<string> {
  const { privateKey } = await generate("rsa", { modulusLength: KEY_BITS });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/**
 * A positive number (RFC 5280, 4.1.2.2), in hex, whose first byte is not zero and has its highest bit clear: DER wants the shortest form,
 * and OpenSSL reads no certificate with a longer one.
 */
export function newSerialNumber(): string {
  const [first = 0, ...others] = randomBytes(16);
  return Buffer.from([(first & 0x3f) | 0x40, ...others]).toString("hex");
}

function blankCertificate(
  publicKey: forge.pki.rsa.PublicKey,
  nowMs: number,
  lifeMs: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = newSerialNumber();
  certificate.validity.notBefore = new Date(nowMs - BACKDATE_MS);
  certificate.validity.notAfter = new Date(nowMs + lifeMs);
  return certificate;
}
