/** How koncli reports a failure: one sentence that says what to do next, and exit code 1 for no or 2 for trouble. */
import { describeError, type ErrorCode, hasCode, KonductorError } from "../shared/errors.ts";
import { printable } from "./printable.ts";

export const CLI_EXIT = { yes: 0, no: 1, trouble: 2 } as const;

/** The klease answers no: nothing is broken. */
const NO: readonly ErrorCode[] = [
  "Held",
  "Conflict",
  "QueueFull",
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
    "ask for ClusterRole konductor-user (by a RoleBinding, or a ClusterRoleBinding for all namespaces), or konductor-admin for other " +
    "people's kleases and requests",
  Unauthenticated: "check the user of the kubeconfig's context; its token may have expired",
  Unreachable: "check the server's address in the kubeconfig, and the network",
};

/** One sentence about `error`, without a full stop. */
export function sentenceOf(error: unknown): string {
  return printable(describe(error));
}

/** The same about a command line that commander does not understand: `message` is commander's. */
export function usageSentence(message: string): string {
  const [, complaint = message, guess] =
    /^(?:error: )?(.*?)(?:\n\(Did you mean (.*)\?\))?$/s.exec(message) ?? [];
  const sentence = complaint
    .replace(/\.$/, "")
    .replace(/(invalid|')\. (\S)/, (_, before, letter) => `${before}: ${letter.toLowerCase()}`);
  if (guess !== undefined) return printable(`${sentence}; did you mean ${guess}?`);
  const saysWhatIsAllowed = sentence.includes(" invalid");
  return printable(saysWhatIsAllowed ? sentence : `${sentence}; koncli --help shows what there is`);
}

function describe(error: unknown): string {
  if (!(error instanceof KonductorError)) return describeError(error);
  if (isUnknownResource(error.cause)) {
    return "konductor is not installed in this cluster: an admin has to install it (kubectl apply -k deploy)";
  }
  // The message says it all; its cause is what a library made of it.
  if (error.code === "NotReady") return error.message;
  const advice = ADVICE[error.code];
  return advice === undefined ? describeError(error) : `${describeError(error)}; ${advice}`;
}

/** Whether an API server answered that does not serve the resource. */
function isUnknownResource(cause: unknown): boolean {
  return typeof cause === "string" && cause.startsWith("404 page not found");
}
