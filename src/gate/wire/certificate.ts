import { X509Certificate } from "node:crypto";

/** Whether `pem` begins with a certificate that can be read; with anything else every TLS connection would fail. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
