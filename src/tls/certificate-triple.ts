/**
 * A serving certificate, its key and the CAs to trust, in the files of a volume with a Secret of type kubernetes.io/tls. What is returned was in
 * the folder at one moment, and fits together: key, names, times, and a chain that ends in a CA of `ca.crt`.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import { describeError, KonductorError } from "../shared/errors.ts";
import { certificatesIn } from "../shared/pem.ts";
import { isoTime } from "../shared/times.ts";
import type { KeyPair, ServingNames } from "./authority.ts";

export interface CertificateTriple extends KeyPair {
  /** The serving certificate, then those that lead to a CA. */
  chain: readonly X509Certificate[];
  /** What `ca.crt` holds. */
  authorities: readonly X509Certificate[];
  notBeforeMs: number;
  notAfterMs: number;
}

/** Resolves with the content of a file; rejects as `readFile` does. */
export type ReadText = (path: string) => Promise<string>;
export const readText: ReadText = (path) => readFile(path, "utf8");

type FileName = "tls.crt" | "tls.key" | "ca.crt";

/** A third of what a bundle may have: during a change of the CA gates are told the old and the new one. */
const CA_BYTES_MAX = 16 * 1024;
/** The kubelet swaps a volume every minute or so. */
const READS_MAX = 10;

/**
 * Reads the three files of `dir`, and checks them for `names` at `nowMs`. Throws Invalid, or NotReady where a file is missing, with one sentence
 * that names the file, what is wrong with it, and what to do.
 */
export async function readTriple(
  dir: string,
  names: ServingNames,
  { nowMs, read }: { nowMs: number; read: ReadText },
): Promise<CertificateTriple> {
  const texts = await readAtOneMoment(dir, read);
  const chain = certificates(dir, "tls.crt", texts["tls.crt"]);
  const authorities = certificates(dir, "ca.crt", texts["ca.crt"]);
  const [leaf] = chain;
  if (!leaf) throw wrong(dir, "tls.crt", "holds no certificate", "put one in PEM there");
  if (authorities.length === 0)
    throw wrong(dir, "ca.crt", "holds no certificate", "put the CA that has signed tls.crt there, in PEM");
  if (Buffer.byteLength(texts["ca.crt"]) > CA_BYTES_MAX)
    throw wrong(dir, "ca.crt", `is longer than ${CA_BYTES_MAX} bytes`, "name only CAs that sign tls.crt");
  if (!leaf.checkPrivateKey(privateKey(dir, texts["tls.key"])))
    throw wrong(dir, "tls.key", "is not the key of tls.crt", "put both there from the same issuance");
  checkAcceptance(dir, texts);
  checkTimes(dir, leaf, nowMs);
  checkNames(dir, leaf, names);
  if (!leadsTo(chain, authorities, nowMs)) {
    const remedy = "put that CA there, and certificates between the two into tls.crt";
    throw wrong(dir, "tls.crt", "was signed by no self-signed CA of ca.crt that is valid now", remedy);
  }
  const [notBeforeMs, notAfterMs] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  return { certPem: texts["tls.crt"], keyPem: texts["tls.key"], chain, authorities, notBeforeMs, notAfterMs };
}

/**
 * Whether a client accepts `chain` at `nowMs` if it trusts `authorities`. As Node's TLS does it, so gates and keepers: the chain must end in a
 * self-signed certificate that is trusted.
 */
export function leadsTo(
  [leaf, ...between]: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  nowMs: number,
): boolean {
  const isTrusted = (certificate: X509Certificate) =>
    authorities.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256);
  function leads(certificate: X509Certificate, others: readonly X509Certificate[]): boolean {
    if (nowMs < certificate.validFromDate.getTime() || nowMs > certificate.validToDate.getTime())
      return false;
    if (isSignedBy(certificate, certificate)) return isTrusted(certificate);
    const issuers = others.filter((other) => other.ca && isSignedBy(certificate, other));
    return issuers.some((issuer) =>
      leads(
        issuer,
        others.filter((other) => other !== issuer),
      ),
    );
  }
  return leaf !== undefined && leads(leaf, [...authorities, ...between]);
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/**
 * Files are swapped under us, all at once where the volume is a Secret. What two rounds have read alike was there between the two, all of it:
 * nothing comes back.
 */
async function readAtOneMoment(dir: string, read: ReadText): Promise<Record<FileName, string>> {
  let before = await readAll(dir, read);
  for (let reads = 1; reads < READS_MAX; reads++) {
    const now = await readAll(dir, read);
    if (isDeepStrictEqual(now, before)) return complete(dir, now);
    before = now;
  }
  throw new KonductorError(
    "NotReady",
    `the files of ${dir} change while they are read; write them all at once`,
  );
}

type Contents = Record<FileName, string | Error>;

async function readAll(dir: string, read: ReadText): Promise<Contents> {
  const readOne = (name: FileName) =>
    read(join(dir, name)).catch((error: unknown) => new Error(describeError(error)));
  const [cert, key, ca] = await Promise.all([readOne("tls.crt"), readOne("tls.key"), readOne("ca.crt")]);
  return { "tls.crt": cert, "tls.key": key, "ca.crt": ca };
}

function complete(dir: string, contents: Contents): Record<FileName, string> {
  const textOf = (name: FileName) => {
    const content = contents[name];
    if (typeof content === "string") return content;
    const remedy = "mount a Secret there that has tls.crt, tls.key and ca.crt";
    throw new KonductorError("NotReady", `${join(dir, name)} cannot be read; ${remedy}`, { cause: content });
  };
  return { "tls.crt": textOf("tls.crt"), "tls.key": textOf("tls.key"), "ca.crt": textOf("ca.crt") };
}

function certificates(dir: string, name: FileName, pem: string): X509Certificate[] {
  try {
    return certificatesIn(pem).map((each) => new X509Certificate(each));
  } catch (cause) {
    throw wrong(dir, name, "holds a certificate that cannot be read", "put it there in PEM", cause);
  }
}

function privateKey(dir: string, pem: string) {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw wrong(dir, "tls.key", "holds no private key", "put one in PEM there, without a passphrase", cause);
  }
}

/** OpenSSL has rules of its own, such as for the length of keys. */
function checkAcceptance(dir: string, texts: Record<FileName, string>): void {
  try {
    createSecureContext({ cert: texts["tls.crt"], key: texts["tls.key"], ca: texts["ca.crt"] });
  } catch (cause) {
    throw wrong(dir, "tls.crt", "is refused by TLS", "have another one issued", cause);
  }
}

function checkTimes(dir: string, leaf: X509Certificate, nowMs: number): void {
  const [fromMs, toMs] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  if (nowMs > toMs)
    throw wrong(dir, "tls.crt", `has expired at ${isoTime(toMs)}`, "have the certificate renewed");
  if (nowMs < fromMs)
    throw wrong(dir, "tls.crt", `is not valid before ${isoTime(fromMs)}`, "wait, or have another one issued");
}

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

function checkNames(dir: string, leaf: X509Certificate, { dnsNames, ipAddresses }: ServingNames): void {
  const missing = [
    ...dnsNames.filter((name) => leaf.checkHost(name, { subject: "never" }) === undefined),
    ...ipAddresses.filter((ip) => leaf.checkIP(ip) === undefined),
  ];
  if (missing.length > 0)
    throw wrong(dir, "tls.crt", `does not name ${missing.join(", ")}`, "have it issued with that name");
  // Node calls the extended key usage so.
  if (leaf.keyUsage && !leaf.keyUsage.includes(SERVER_AUTH))
    throw wrong(dir, "tls.crt", "is not for servers", "have it issued with the usage `server auth`");
}

function wrong(
  dir: string,
  name: FileName,
  trouble: string,
  remedy: string,
  cause?: unknown,
): KonductorError {
  return new KonductorError("Invalid", `${join(dir, name)} ${trouble}; ${remedy}`, { cause });
}
