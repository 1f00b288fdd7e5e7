import { GET_PODS } from "../../shared/names.ts";

const REFUSED = new Set(["ECONNREFUSED"]);
const DROPPED = new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPERM", "EACCES"]);
const CUT = new Set(["ECONNRESET", "EPIPE", "EPROTO"]);

/**
 * What most likely keeps a pod from konductor, as a half sentence that names the remedy; undefined when the error says nothing
 * about it (such as an unknown name in a cluster without DNS: only the second address is a name).
 */
export function likelyCause(error: unknown): string | undefined {
  const code = codeOf(error) ?? "";
  if (REFUSED.has(code)) {
    return `konductor's Service has no ready endpoints: look at its pods (${GET_PODS})`;
  }
  if (DROPPED.has(code)) {
    return "a NetworkPolicy or firewall drops the connection: allow egress from this pod to konductor's pods, port 8443";
  }
  if (CUT.has(code) || /CERT|SIGNATURE|^ERR_(SSL|TLS)/.test(code)) {
    return "something else answers at konductor's address, such as a service mesh that intercepts TLS: exclude konductor's Service from it; or the pod is older than konductor's CA: delete it";
  }
  return undefined;
}

/** The system's or TLS's code, which the innermost cause carries. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return codeOf(error.cause) ?? ("code" in error && typeof error.code === "string" ? error.code : undefined);
}
