/** The certificates of a PEM bundle, a damaged one included: it ends where the next one begins. */
export function certificatesIn(bundle: string): string[] {
  const pem =
    /-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|(?=-----BEGIN CERTIFICATE-----)|$)/gs;
  return bundle.match(pem) ?? [];
}
