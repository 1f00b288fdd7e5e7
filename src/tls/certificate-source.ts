import type { KeyPair } from "./authority.ts";

/** What the server serves, and what others have to trust. */
export interface ServingCertificate extends KeyPair {
  caBundlePem: string;
  notAfterMs: number;
}

/** Resolves with what is to be served now; called at the start, and again at every upkeep. */
export type CertificateSource = () => Promise<ServingCertificate>;
