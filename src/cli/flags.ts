/** Values of flags, read once. What is wrong is refused before anything is sent, in one sentence. */
import { InvalidArgumentError } from "commander";
import { parseDuration } from "../lease/duration.ts";
import { isLeaseName, LEASE_NAME_RULE } from "../lease/naming.ts";
import { isOnceKey, ONCE_KEY_RULE } from "../lease/once.ts";
import { hasCode } from "../shared/errors.ts";

const INT32_MAX = 2 ** 31 - 1;

/** A Go duration in milliseconds, of any sign. */
export function durationMs(value: string): number {
  try {
    return parseDuration(value);
  } catch (error) {
    if (!hasCode(error, "Invalid")) throw error;
    throw new InvalidArgumentError('a Go duration such as "90s", "10m" or "1h30m" is allowed');
  }
}

/** A Go duration longer than 0. */
export function ttlMs(value: string): number {
  const ms = durationMs(value);
  if (ms <= 0) throw new InvalidArgumentError("a duration longer than 0s is allowed");
  return ms;
}

/** A Go duration, not negative. */
export function graceMs(value: string): number {
  const ms = durationMs(value);
  if (ms < 0) throw new InvalidArgumentError("a duration that is not negative is allowed");
  return ms;
}

/** A TCP port; 0: any that is free. */
export function port(value: string): number {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= 65_535))
    throw new InvalidArgumentError("a port from 0 to 65535 is allowed; 0: any that is free");
  return number;
}

/** A whole number of 32 bits. */
export function priority(value: string): number {
  const number = /^[+-]?\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= -INT32_MAX - 1 && number <= INT32_MAX)) {
    throw new InvalidArgumentError(`a whole number from ${-INT32_MAX - 1} to ${INT32_MAX} is allowed`);
  }
  return number;
}

/** A whole number of 32 bits, not negative. */
export function count(value: string): number {
  const number = /^[+]?\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= INT32_MAX)) {
    throw new InvalidArgumentError(`a whole number from 0 to ${INT32_MAX} is allowed`);
  }
  return number;
}

/** The fencing token of a hold. */
export function fencingToken(value: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= 1 && number <= Number.MAX_SAFE_INTEGER)) {
    throw new InvalidArgumentError("a whole number is allowed, as koncli lease status shows it");
  }
  return number;
}

/** A flag that may be given a value, as in `--renewable=false`. */
export function bool(value: string): boolean {
  if (value !== "true" && value !== "false") throw new InvalidArgumentError("true or false is allowed");
  return value === "true";
}

const NAMESPACE = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Whether a namespace may be called so. */
export function isNamespace(name: string): boolean {
  return NAMESPACE.test(name);
}

export function namespace(value: string): string {
  if (!isNamespace(value)) {
    throw new InvalidArgumentError(
      'a name of lower-case letters, digits and "-" is allowed, with 63 characters at most',
    );
  }
  return value;
}

/** The name of a klease. */
export function leaseName(value: string): string {
  if (!isLeaseName(value)) {
    throw new InvalidArgumentError(LEASE_NAME_RULE);
  }
  return value;
}

/** The key of work that is done once. */
export function onceKey(value: string): string {
  if (!isOnceKey(value)) throw new InvalidArgumentError(ONCE_KEY_RULE);
  return value;
}

const LONGEST_HOLDER = 253;

/** The name of a holder. */
export function holder(value: string): string {
  if (value.trim() === "" || value.length > LONGEST_HOLDER) {
    throw new InvalidArgumentError(`a name of 1 to ${LONGEST_HOLDER} characters is allowed`);
  }
  return value;
}

const LONGEST_REASON = 256;
/** As the schema refuses them: ends of lines, and what steers terminals and the direction of text. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Why a klease is paused: one line. */
export function pauseReason(value: string): string {
  if (value.trim() === "" || value.length > LONGEST_REASON || UNSEEN.test(value)) {
    throw new InvalidArgumentError(
      `one line of 1 to ${LONGEST_REASON} characters is allowed, without control characters`,
    );
  }
  return value;
}
