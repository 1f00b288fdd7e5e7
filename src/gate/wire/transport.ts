import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import type { Clock } from "../../shared/clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { hostLookup } from "./host-lookup.ts";
import type { Address } from "./route.ts";

export interface Call {
  address: Address;
  path: string;
  bearerToken: string;
  body: object;
  /** How long TCP and TLS may take. */
  connectMs: number;
  /** How long the server may be silent once connected. */
  silenceMs: number;
  /** How long the whole call may take; no limit if left out. */
  totalMs?: number;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  retryAfterMs: number | undefined;
  /** Must be read to its end or left by `break`; throws Unreachable when the connection ends early. */
  chunks: AsyncIterable<Buffer>;
  /** Ends the connection, also after the last chunk was read: no other call uses it. */
  leave(): void;
}

/**
 * Sends one POST and resolves with the beginning of its answer, whatever its status (redirects are not followed). Rejects with
 * Unreachable when there is none in time, or with the signal's reason.
 */
export type Transport = (call: Call) => Promise<Answer>;

/** The longest Retry-After that is believed: a longer one is a mistake. */
const LONGEST_RETRY_AFTER_MS = 60_000;

const LOOKUP = hostLookup();

/** HTTPS with connections that are kept alive, each verified against the address's bundle and server name. */
export function httpsTransport(clock: Clock): Transport {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 1 });
  return (call) => send(agent, clock, call);
}

function send(agent: Agent, clock: Clock, call: Call): Promise<Answer> {
  const { address, signal } = call;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const body = JSON.stringify(call.body);
  const sent = request({ ...optionsOf(call, body), agent });
  let answer: IncomingMessage | undefined;
  let stopTimer = (): void => {};

  // Once there is an answer, only destroying it tells its reader the reason.
  const fail = (error: Error): void => void (answer ?? sent).destroy(error);
  const late = (what: string, limitMs: number): void => {
    const details = sent.socket?.connecting ? { cause: unconnected() } : {};
    fail(new KonductorError("Unreachable", `${address.url} ${what} ${limitMs} ms`, details));
  };
  const allow = (limitMs: number, what: string): void => {
    stopTimer();
    stopTimer = clock.after(limitMs, () => late(what, limitMs));
  };
  const connected = (): void => allow(call.silenceMs, "was silent for");
  const abort = (): void => fail(new Error("aborted"));
  const { totalMs } = call;
  const stopTotal =
    totalMs === undefined ? undefined : clock.after(totalMs, () => late("did not answer within", totalMs));

  allow(call.connectMs, "did not connect within");
  sent.on("socket", (socket) => (sent.reusedSocket ? connected() : socket.once("secureConnect", connected)));
  sent.on("error", (error) => reject(reasonOf(error, call)));
  sent.on("close", () => {
    stopTimer();
    stopTotal?.();
    signal?.removeEventListener("abort", abort);
  });
  sent.on("response", (message) => {
    answer = message;
    const { socket } = message;
    connected();
    resolve({
      status: message.statusCode ?? 0,
      retryAfterMs: retryAfterMs(message.headers),
      chunks: chunksOf(message, call, connected),
      leave: () => void socket.destroy(),
    });
  });
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  sent.end(body);
  return promise;
}

function optionsOf({ address, path, bearerToken }: Call, body: string): RequestOptions {
  const url = new URL(address.url);
  return {
    method: "POST",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port || 443,
    path,
    servername: address.serverName,
    lookup: LOOKUP,
    ca: address.ca,
    headers: {
      authorization: `Bearer ${bearerToken}`,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    },
  };
}

async function* chunksOf(message: IncomingMessage, call: Call, onChunk: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of message) {
      onChunk();
      yield Buffer.from(chunk);
    }
  } catch (error) {
    throw reasonOf(error, call);
  }
}

/** The error of a connection that is never established, as the system would report it, only sooner. */
function unconnected(): Error {
  return Object.assign(new Error("TCP does not connect"), { code: "ETIMEDOUT" });
}

function reasonOf(error: unknown, { address, signal }: Call): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof KonductorError) return error;
  return new KonductorError("Unreachable", `no answer from ${address.url}`, { cause: error });
}

/** Retry-After in either of its forms (RFC 9110, 10.2.3): seconds, or a time by the clock of who answers. */
function retryAfterMs({ "retry-after": header, date = "" }: IncomingHttpHeaders): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.parse(date);
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}
