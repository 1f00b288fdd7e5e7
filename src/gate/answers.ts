import { type ErrorCode, hasCode, KonductorError } from "../shared/errors.ts";
import { countOf, parseObject, wordOf, wordsOf } from "./json.ts";

/** Trust bundle and addresses that are current at the server. */
export interface Contact {
  ca: string | undefined;
  urls: string[];
}

export interface Waiting {
  state: "waiting";
  position: number;
  of: number;
  holder: string | undefined;
  /** RFC 3339, for people. */
  since: string | undefined;
  expires: string | undefined;
}

export interface Granted extends Contact {
  state: "granted";
  token: number;
  ttlMs: number;
}

export interface Denied {
  state: "denied";
  reason: string;
  message: string;
}

/** One line of the answer to acquire. */
export type QueueLine = Waiting | Granted | Denied | { state: "reconnect" };

/** The answer to renew. */
export interface Renewed extends Contact {
  token: number;
  ttlMs: number;
}

/** Reads one line of the answer to acquire. Throws Unreachable for anything that konductor would not send. */
export function parseQueueLine(text: string): QueueLine {
  const object = parseObject(text);
  const { state, token, ttlMs } = {
    state: object["state"],
    token: countOf(object["token"]),
    ttlMs: ttlOf(object),
  };
  if (state === "reconnect") return { state };
  if (state === "denied") {
    const reason = wordOf(object["reason"]) ?? "Denied";
    return { state, reason, message: wordOf(object["message"]) ?? "konductor gave no reason" };
  }
  if (state === "granted" && token !== undefined && ttlMs !== undefined) {
    return { state, token, ttlMs, ...contactOf(object) };
  }
  const position = countOf(object["position"]);
  const of = countOf(object["of"]);
  if (state === "waiting" && position !== undefined && of !== undefined) {
    const [holder, since, expires] = ["holder", "since", "expires"].map((key) => wordOf(object[key]));
    return { state, position, of, holder, since, expires };
  }
  throw notOurs(text);
}

/** Reads the answer to a renewal of the hold `token`. Throws Unreachable for anything that konductor would not send. */
export function parseRenewed(text: string, expectedToken: number): Renewed {
  const object = parseObject(text);
  const token = countOf(object["token"]);
  const ttlMs = ttlOf(object);
  if (token !== expectedToken || ttlMs === undefined) throw notOurs(text);
  return { token, ttlMs, ...contactOf(object) };
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "BadRequest",
  401: "Unauthenticated",
  403: "Forbidden",
  404: "NotFound",
  409: "NotHolder",
  429: "TooManyRequests",
  503: "NotReady",
};
const REFUSALS: readonly ErrorCode[] = ["Revoked", "NotStarted", "MaxHold", "NotRenewable"];

/** The error that an answer with a status other than 200 stands for. */
export function errorOf(status: number, text: string, retryAfterMs: number | undefined): KonductorError {
  const object = parseObject(text);
  const reason = wordOf(object["reason"]);
  const message = wordOf(object["message"]) ?? reason ?? "without a message";
  const refusal = status === 409 ? REFUSALS.find((code) => code === reason) : undefined;
  const code = refusal ?? CODE_OF_STATUS[status] ?? "Internal";
  return new KonductorError(
    code,
    `konductor answered ${status}: ${message}`,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );
}

/** The denial that an error stands for: trying again would only be refused again. */
export function denialOf(error: KonductorError): Denied | undefined {
  if (!hasCode(error, "BadRequest", "Forbidden")) return undefined;
  return { state: "denied", reason: error.code, message: error.message };
}

/** The error for an answer 200 that is not konductor's. */
function notOurs(text: string): KonductorError {
  return new KonductorError("Unreachable", `the answer is not konductor's: "${text.slice(0, 80)}"`);
}

function ttlOf(object: Record<string, unknown>): number | undefined {
  return countOf(object["ttlMs"]) || undefined;
}

function contactOf(object: Record<string, unknown>): Contact {
  return { ca: wordOf(object["ca"]), urls: wordsOf(object["urls"]) };
}

/** The answer to release. */
export function parseReleased(text: string): boolean {
  return parseObject(text)["released"] === true;
}
