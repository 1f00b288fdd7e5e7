import { type ErrorCode, KonductorError } from "../shared/errors.ts";
import { integer, list, record, text } from "../shared/json.ts";

/** The object that a call was about. */
export interface About {
  plural: string;
  name: string;
}

const BY_HTTP_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "Unauthenticated",
  403: "Forbidden",
  409: "Conflict",
  410: "Gone",
  422: "Invalid",
  429: "TooManyRequests",
  502: "Unreachable",
  503: "Unreachable",
  504: "Unreachable",
};

/**
 * The error for a Status of the API server (see its API conventions, "Response Status Kind"). `action` says what was tried,
 * as in "delete pod a/b"; `body` may be anything, as a proxy in between answers what it likes. So only a Status about the very object that
 * the call was `about` makes NotFound. Any other 404 is trouble with the server, and proves nobody's end.
 */
export function statusError(
  action: string,
  httpStatus: number,
  body: unknown,
  { retryAfter, about }: { retryAfter?: string | undefined; about?: About | undefined } = {},
): KonductorError {
  const status = record(body);
  const said =
    text(status["message"]) ??
    (typeof body === "string" && body !== "" ? body.slice(0, 300) : "no reason given");
  return new KonductorError(
    isMissing(httpStatus, status, about) ? "NotFound" : code(httpStatus, status),
    `cannot ${action}: ${said} (HTTP ${httpStatus})`,
    {
      cause: body,
      ...retryAfterMs(record(status["details"])["retryAfterSeconds"], retryAfter),
    },
  );
}

function isMissing(httpStatus: number, status: Record<string, unknown>, about: About | undefined): boolean {
  if (httpStatus !== 404 || status["kind"] !== "Status" || status["reason"] !== "NotFound") return false;
  const { kind, name } = record(status["details"]);
  return !about || ((kind ?? about.plural) === about.plural && (name ?? about.name) === about.name);
}

function code(httpStatus: number, status: Record<string, unknown>): ErrorCode {
  if (httpStatus === 409 && status["reason"] === "AlreadyExists") return "AlreadyExists";
  if (httpStatus === 422 && isAboutAnother(status)) return "Conflict";
  return BY_HTTP_STATUS[httpStatus] ?? (httpStatus < 500 ? "BadRequest" : "Internal");
}

/** To the API server a uid in a merge patch is not a precondition, but a change of an immutable field. */
function isAboutAnother(status: Record<string, unknown>): boolean {
  return list(record(status["details"])["causes"]).some((cause) => record(cause)["field"] === "metadata.uid");
}

/** The header counts in seconds here; its other form, a date, is never sent by the API server. */
function retryAfterMs(fromBody: unknown, header: string | undefined): { retryAfterMs?: number } {
  const seconds = integer(fromBody) ?? (header === undefined ? undefined : integer(Number(header)));
  return seconds === undefined || seconds < 0 ? {} : { retryAfterMs: seconds * 1000 };
}
