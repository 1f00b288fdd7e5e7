/** What koncli says and ends with when something does not work: one sentence, with what to do next, and 1 for no or 2 for trouble. */
import { describeError, type ErrorCode, hasCode, KonductorError } from "../shared/errors.ts";
import { record } from "../shared/json.ts";

export const CLI_EXIT = { yes: 0, no: 1, trouble: 2 } as const;

/** The klease answers no: nothing is broken. */
const NO: readonly ErrorCode[] = [
  "Held",
  "TimedOut",
  "Withdrawn",
  "NotHolder",
  "NotRenewable",
  "Revoked",
  "Lost",
];

export function exitCodeOf(error: unknown): number {
  return hasCode(error, ...NO) ? CLI_EXIT.no : CLI_EXIT.trouble;
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  Forbidden:
    "ask for ClusterRole konductor-user in this namespace, or konductor-admin for other people's kleases and requests",
  Unauthenticated: "check the user of the kubeconfig's context; its token may have expired",
  Unreachable: "check the server's address in the kubeconfig, and the network",
};

/** One sentence about `error`, without a full stop. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof KonductorError)) return describeError(error);
  if (error.code === "NotFound" && isUnknownResource(error.cause)) {
    return "the cluster knows no kleases: an admin has to install konductor (kubectl apply -k deploy)";
  }
  const advice = ADVICE[error.code];
  return advice === undefined ? describeError(error) : `${describeError(error)}; ${advice}`;
}

/** An API server that has the resource, but not the object, answers with a Status. */
function isUnknownResource(cause: unknown): boolean {
  return typeof cause === "string" && record(cause)["kind"] !== "Status";
}
