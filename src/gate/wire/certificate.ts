import { X509Certificate } from "node:crypto";

/** Whether `pem` holds certificates, each of which can be read. */
export function areCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.length > 0 && blocks.every(isCertificate);
}

/** Whether `pem` begins with a certificate that can be read; with anything else every TLS connection would fail. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
