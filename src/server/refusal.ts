import { type ErrorCode, type ErrorDetails, KonductorError } from "../shared/errors.ts";

/**
 * An answer for the caller: its code and message are sent as they are. Every other error is konductor's own trouble, also one with
 * the code of an API server's answer (a Forbidden of the API server to us says nothing about the caller).
 */
export class Refusal extends KonductorError {
  /** Another replica may answer otherwise: this answer ends the caller's connection, which would lead it here again. */
  readonly elsewhere: boolean;

  /** By default a 5xx sends the caller elsewhere. TooManyRequests must say whether it does: it may be the caller's or the replica's own. */
  constructor(code: "TooManyRequests", message: string, details: ErrorDetails & { elsewhere: boolean });
  constructor(code: Exclude<ErrorCode, "TooManyRequests">, message: string, details?: ErrorDetails);
  constructor(code: ErrorCode, message: string, details: ErrorDetails & { elsewhere?: boolean } = {}) {
    super(code, message, details);
    this.elsewhere = details.elsewhere ?? this.status >= 500;
  }
}
