/**
 * Every coded error of the product. A code is what programs and tests match on; the message is for people: what happened, to
 * which object, what to do next. The status is the HTTP answer where the error leaves by a server of ours.
 */
const STATUS = {
  BadRequest: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  NotHolder: 409,
  Revoked: 409,
  NotStarted: 409,
  CrashLooping: 409,
  MaxHold: 409,
  NotRenewable: 409,
  /** Somebody else holds the klease. */
  Held: 409,
  /** As many wait for the klease as it lets wait. */
  QueueFull: 409,
  /** The work for which the klease is asked has been done under it: nothing is left to do. */
  AlreadyDone: 409,
  /** Waited for the klease until the timeout. */
  TimedOut: 409,
  /** Stopped waiting, since it was told to, or somebody deleted the request. */
  Withdrawn: 409,
  /** Had the klease, and could not keep it. */
  Lost: 409,
  Conflict: 409,
  AlreadyExists: 409,
  Gone: 410,
  TooLarge: 413,
  Invalid: 422,
  TooManyRequests: 429,
  Internal: 500,
  NotReady: 503,
  Unreachable: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** Why a hold is not renewed beyond what it was promised: it then has the rest of its ttl, where any other refusal ends it at once. */
export const RENEWAL_LIMITS = ["MaxHold", "NotRenewable"] as const satisfies readonly ErrorCode[];
/** Why a renewal is refused. */
export const RENEWAL_REFUSALS = [
  "NotHolder",
  "Revoked",
  "NotStarted",
  "CrashLooping",
  ...RENEWAL_LIMITS,
] as const;

export type RenewalLimit = (typeof RENEWAL_LIMITS)[number];
export type RenewalRefusal = (typeof RENEWAL_REFUSALS)[number];

/** Whether `code` says that the hold has the rest of its ttl. */
export function isRenewalLimit(code: ErrorCode): code is RenewalLimit {
  return RENEWAL_LIMITS.some((limit) => limit === code);
}

export interface ErrorDetails {
  cause?: unknown;
  /** After how long the same call may succeed. */
  retryAfterMs?: number;
}

/** An error that says by its code what kind of trouble it is. */
export class KonductorError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "KonductorError";
    this.code = code;
    this.status = STATUS[code];
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Whether `error` is ours and carries one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is KonductorError {
  return error instanceof KonductorError && codes.includes(error.code);
}

/** The text of anything that was thrown, with its causes, for a log line or for stderr. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A cause that is no error (the Status of an API server's answer) stands in the message already.
  const cause = error.cause instanceof Error ? `: ${describeError(error.cause)}` : "";
  // undici's error for a name none of whose addresses could be reached has no message.
  const message =
    error.message ||
    (error instanceof AggregateError ? error.errors.map(describeError).join("; ") : error.name);
  return `${message}${cause}`;
}
