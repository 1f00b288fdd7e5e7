/** Certificates of a throwaway cluster. RSA, because node-forge signs nothing else; Node generates the keys (forge takes a second for each). */
import { generateKeyPair, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import forge from "node-forge";

const LIFETIME_DAYS = 30;

export interface Pair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface Subject {
  readonly commonName: string;
  /** The Kubernetes group. */
  readonly organization?: string;
  /** Host names and IP addresses that a server certificate is valid for. */
  readonly hosts?: readonly string[];
}

export interface Authority extends Pair {
  /** A certificate for clients and servers. */
  issue(subject: Subject): Promise<Pair>;
}

export interface KeyPem {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** An RSA key of 2048 bits. */
export function newKey(): Promise<KeyPem> {
  return promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

export async function newAuthority(commonName: string): Promise<Authority> {
  const key = await newKey();
  const attributes = [{ name: "commonName", value: commonName }];
  const signingKey = forge.pki.privateKeyFromPem(key.privateKey);
  const certificatePem = sign({
    publicKeyPem: key.publicKey,
    subject: attributes,
    issuer: attributes,
    signingKey,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    certificatePem,
    keyPem: key.privateKey,
    async issue(subject) {
      const leaf = await newKey();
      return {
        keyPem: leaf.privateKey,
        certificatePem: sign({
          publicKeyPem: leaf.publicKey,
          subject: subjectAttributes(subject),
          issuer: attributes,
          signingKey,
          extensions: leafExtensions(subject.hosts ?? []),
        }),
      };
    },
  };
}

interface Unsigned {
  readonly publicKeyPem: string;
  readonly subject: forge.pki.CertificateField[];
  readonly issuer: forge.pki.CertificateField[];
  readonly signingKey: forge.pki.rsa.PrivateKey;
  readonly extensions: object[];
}

function sign({ publicKeyPem, subject, issuer, signingKey, extensions }: Unsigned): string {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKeyPem);
  certificate.serialNumber = `01${randomBytes(15).toString("hex")}`;
  const dayMs = 24 * 60 * 60 * 1000;
  certificate.validity.notBefore = new Date(Date.now() - dayMs);
  certificate.validity.notAfter = new Date(Date.now() + LIFETIME_DAYS * dayMs);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  certificate.setExtensions(extensions);
  certificate.sign(signingKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

function subjectAttributes({ commonName, organization }: Subject): forge.pki.CertificateField[] {
  const name = { name: "commonName", value: commonName };
  return organization ? [{ name: "organizationName", value: organization }, name] : [name];
}

function leafExtensions(hosts: readonly string[]): object[] {
  const usage = [
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true },
    { name: "extKeyUsage", clientAuth: true, serverAuth: true },
  ];
  if (hosts.length === 0) return usage;
  const altNames = hosts.map((host) => (isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }));
  return [...usage, { name: "subjectAltName", altNames }];
}
