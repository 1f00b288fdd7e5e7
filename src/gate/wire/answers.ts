import { type ErrorCode, hasCode, KonductorError, RENEWAL_REFUSALS } from "../../shared/errors.ts";
import { countOf, parseObject, wordOf, wordsOf } from "../json.ts";

/** Trust bundle and addresses that are current at the server. */
export interface Contact {
  ca: string | undefined;
  urls: string[];
}

/** Whom to trust is told where it is news. */
export interface Waiting extends Contact {
  state: "waiting";
  position: number;
  of: number;
  holder: string | undefined;
  /** RFC 3339, for people. */
  since: string | undefined;
  expires: string | undefined;
  /** Why the Lease is granted to nobody at present, in words. */
  heldBack: string | undefined;
  /** When the pod's turn will probably come, in words. */
  turn: string | undefined;
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

/** The gate must ask again: at another replica if `elsewhere`. */
export interface Reconnect {
  state: "reconnect";
  elsewhere: boolean;
}

/** One line of the answer to acquire. */
export type QueueLine = Waiting | Granted | Denied | Reconnect;

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
  if (state === "reconnect") return { state, elsewhere: object["elsewhere"] !== false };
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
    const [holder, since, expires, heldBack, turn] = ["holder", "since", "expires", "heldBack", "turn"].map(
      (key) => wordOf(object[key]),
    );
    return { state, position, of, holder, since, expires, heldBack, turn, ...contactOf(object) };
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
  429: "NotReady",
  503: "NotReady",
};

/**
 * The error for an answer with a status other than 200: Unreachable where it is not konductor's, NotReady where a replica is full. Only a
 * limit on the caller's own rate is TooManyRequests and says when to come back: what an unhealthy or full replica says of that does not
 * bind those who go elsewhere.
 */
export function errorOf(status: number, text: string, retryAfterMs: number | undefined): KonductorError {
  const object = parseObject(text);
  const reason = wordOf(object["reason"]);
  const message = `konductor answered ${status}: ${wordOf(object["message"]) ?? reason ?? "without a message"}`;
  if (reason === undefined) return new KonductorError("Unreachable", message);
  if (status === 429 && object["elsewhere"] === false) {
    return new KonductorError("TooManyRequests", message, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  const refusal = status === 409 ? RENEWAL_REFUSALS.find((code) => code === reason) : undefined;
  return new KonductorError(refusal ?? CODE_OF_STATUS[status] ?? "Internal", message);
}

/** Whether konductor has decided on the request: trying again would only be refused again. */
export function isVerdict({ status }: KonductorError): boolean {
  return status === 400 || status === 403 || status === 409;
}

/** Whether another replica may answer otherwise. */
export function isForElsewhere(error: KonductorError): boolean {
  return !isVerdict(error) && !hasCode(error, "TooManyRequests");
}

/** The denial that an error stands for. */
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

/** Reads the answer to release. Throws Unreachable for anything that konductor would not send. */
export function parseReleased(text: string): boolean {
  const { released } = parseObject(text);
  if (typeof released !== "boolean") throw notOurs(text);
  return released;
}
