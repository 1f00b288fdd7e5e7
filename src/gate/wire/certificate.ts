import { X509Certificate } from "node:crypto";
import { certificatesIn } from "../../shared/pem.ts";

/** Whether `pem` holds certificates, each of which can be read. */
export function areCertificates(pem: string): boolean {
  const certificates = certificatesIn(pem);
  return certificates.length > 0 && certificates.every(isCertificate);
}

/** Whether `pem` begins with a certificate that can be read; with anything else every TLS connection would fail. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
