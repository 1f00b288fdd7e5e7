import { createHash } from "node:crypto";
import type { ClaimantRef } from "./types.ts";

/** The longest name an API object may have (DNS-1123 subdomain). */
const MAX_NAME_LENGTH = 253;
const DIGEST_LENGTH = 10;

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const MAX_LABEL_VALUE_LENGTH = 63;

/** What {@link isLeaseName} allows, for people. */
export const LEASE_NAME_RULE =
  'lower-case letters, digits, "-" and "." are allowed, with a letter or a digit at both ends and on both sides of each "."; 63 characters at most';

/** Whether a Lease may have this name, as in the CRD: a DNS-1123 subdomain that also fits a label value. */
export function isLeaseName(name: string): boolean {
  return name.length <= MAX_LABEL_VALUE_LENGTH && SUBDOMAIN.test(name);
}

/**
 * The name of a claimant's LeaseRequest: the same claimant asking for the same Lease again finds its own object, and two
 * claimants can only meet under one name by a collision of 40 bits, which the caller sees since the claimant differs.
 */
export function requestName(
  lease: string,
  claimant: Pick<ClaimantRef, "kind" | "uid"> | { holder: string },
): string {
  const identity =
    "holder" in claimant ? `client/${claimant.holder}` : `${claimant.kind.toLowerCase()}/${claimant.uid}`;
  const digest = createHash("sha256").update(`${lease}/${identity}`).digest("hex").slice(0, DIGEST_LENGTH);
  return `${lease.slice(0, MAX_NAME_LENGTH - DIGEST_LENGTH - 1)}-${digest}`;
}
