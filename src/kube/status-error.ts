import { type ErrorCode, KonductorError } from "../shared/errors.ts";
import { integer, record, text } from "../shared/json.ts";

const BY_HTTP_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "Unauthenticated",
  403: "Forbidden",
  404: "NotFound",
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
 * as in "delete pod a/b"; `body` may be anything, as a proxy in between answers what it likes.
 */
export function statusError(
  action: string,
  httpStatus: number,
  body: unknown,
  retryAfter?: string,
): KonductorError {
  const status = record(body);
  const said =
    text(status["message"]) ??
    (typeof body === "string" && body !== "" ? body.slice(0, 300) : "no reason given");
  return new KonductorError(
    code(httpStatus, text(status["reason"])),
    `cannot ${action}: ${said} (HTTP ${httpStatus})`,
    {
      cause: body,
      ...retryAfterMs(record(status["details"])["retryAfterSeconds"], retryAfter),
    },
  );
}

function code(httpStatus: number, reason: string | undefined): ErrorCode {
  if (httpStatus === 409 && reason === "AlreadyExists") return "AlreadyExists";
  return BY_HTTP_STATUS[httpStatus] ?? (httpStatus < 500 ? "BadRequest" : "Internal");
}

/** The header counts in seconds here; its other form, a date, is never sent by the API server. */
function retryAfterMs(fromBody: unknown, header: string | undefined): { retryAfterMs?: number } {
  const seconds = integer(fromBody) ?? (header === undefined ? undefined : integer(Number(header)));
  return seconds === undefined || seconds < 0 ? {} : { retryAfterMs: seconds * 1000 };
}
