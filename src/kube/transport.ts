import type { Dispatcher } from "undici";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { timeMs } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import type { CallInfo, CallOptions, HttpMethod, ResponseInfo, Verb } from "./api.ts";
import { createCallTurns } from "./call-turns.ts";
import { type CredentialsOptions, createCredentials, type Session } from "./credentials.ts";
import { type About, statusError } from "./status-error.ts";

/** One HTTP request, and what an error calls it. */
export interface Call {
  verb: Verb;
  method: HttpMethod;
  path: string;
  /** What is tried, as in "delete pod a/b". */
  action: string;
  /** The object that is addressed, if one is. */
  about?: About;
  contentType?: string;
  /** What may come back; JSON, if left out. */
  accept?: string;
  body?: unknown;
  /** A longer answer is given up, as TooLarge. */
  limitBytes: number;
  /** Called with the size of an answer that is no refusal. */
  onReceived?: (bytes: number) => void;
}

export interface Transport {
  /** The answer's body: JSON as its value, all else as text. Throws as {@link KubeClient} says. */
  send(call: Call, options: CallOptions): Promise<unknown>;
  /** The body of an endless GET, once the server has accepted it. Without any byte for `silenceTimeoutMs` it breaks (0: never). */
  stream(call: Call, signal: AbortSignal, silenceTimeoutMs: number): Promise<AsyncIterable<Buffer>>;
  close(): Promise<void>;
}

export interface TransportOptions extends CredentialsOptions {
  userAgent: string;
  /** Of every call that has no limit of its own; 10 s by default. */
  timeoutMs?: number | undefined;
  /** How many calls are under way at a time, besides streams and those out of turn; 1,000 by default. */
  mostCalls?: number | undefined;
  logger?: Logger | undefined;
  /** Called with every answer. */
  onResponse?: ((info: ResponseInfo) => void) | undefined;
  /** Called once with every request, when its answer begins or it has failed. */
  onCall?: ((info: CallInfo) => void) | undefined;
}

interface Timeouts {
  headersTimeout: number;
  bodyTimeout: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/**
 * Each has a connection, of 80 KiB at most: together less than a sixth of a replica's 512 MiB. It is twice as many as a busy replica ever
 * needs, since an API server refuses hundreds of calls at a time from one user (API Priority and Fairness, by its defaults).
 */
const MOST_CALLS = 1_000;
/** Errors of the API server are shorter; of a longer one, from a proxy, only the HTTP status counts. */
const ERROR_LIMIT_BYTES = 1 << 20;

/** HTTP to the kubeconfig's current cluster. */
export function createTransport({
  userAgent,
  logger,
  onResponse: observe,
  onCall,
  timeoutMs: defaultMs = DEFAULT_TIMEOUT_MS,
  mostCalls = MOST_CALLS,
  ...own
}: TransportOptions): Transport {
  const { kubeConfig, clock } = own;
  const cluster = kubeConfig.getCurrentCluster();
  if (!cluster)
    throw new KonductorError("BadRequest", "the kubeconfig has no current cluster: set current-context");
  const { origin, pathname } = new URL(cluster.server);
  const prefix = pathname.replace(/\/+$/, "");
  const credentials = createCredentials(own);
  const turns = createCallTurns(mostCalls);
  let hasSession = false;

  /** Sends the call, and once more with other credentials where the API server has refused those and there are any. */
  async function dispatch(call: Call, signal: AbortSignal, timeouts: Timeouts) {
    const session = await credentials.session();
    const answer = await request(session, call, signal, timeouts);
    if (answer.response.statusCode !== 401) return answer;
    // A plugin that fails has said so, and the refusal says the rest.
    const renewed = await credentials.renewed(session).catch(() => undefined);
    if (!renewed) return answer;
    await answer.response.body.dump();
    return request(renewed, call, signal, timeouts);
  }

  async function request(
    { dispatcher, headers }: Session,
    call: Call,
    signal: AbortSignal,
    timeouts: Timeouts,
  ) {
    signal.throwIfAborted();
    const sentMs = clock.monotonicMs();
    const response = await dispatcher
      .request({
        origin,
        path: `${prefix}${call.path}`,
        method: call.method,
        headers: {
          ...headers,
          "user-agent": userAgent,
          accept: call.accept ?? "application/json",
          ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal,
        ...timeouts,
      })
      .catch((error: unknown) => {
        onCall?.({ verb: call.verb, status: undefined });
        throw error;
      });
    onCall?.({ verb: call.verb, status: response.statusCode });
    const info: ResponseInfo = {
      status: response.statusCode,
      serverDateMs: isJson(response) ? timeMs(header(response, "date")) : undefined,
      tookMs: clock.monotonicMs() - sentMs,
    };
    observe?.(info);
    logger?.debug(
      { method: call.method, path: call.path, status: info.status, tookMs: Math.round(info.tookMs) },
      "API server answered",
    );
    return { response, info };
  }

  return {
    async send(call, { signal, timeoutMs = defaultMs, silenceTimeoutMs, outOfTurn, onResponse }) {
      // Somebody may have to log in first: that time is not the API server's. Later calls, such as a release, must not wait for it.
      if (!hasSession) {
        const ready = credentials.session();
        await (signal ? unlessAborted(signal, ready) : ready);
        hasSession = true;
      }
      const timeout = AbortSignal.timeout(timeoutMs);
      const silent = new AbortController();
      let stopSilence = () => {};
      let endTurn: (() => void) | undefined;
      const heard = () => {
        stopSilence();
        if (silenceTimeoutMs === undefined) return;
        stopSilence = clock.after(silenceTimeoutMs, () =>
          silent.abort(unreachable(call, `the API server said nothing for ${silenceTimeoutMs} ms`)),
        );
      };
      try {
        const any = AbortSignal.any([timeout, silent.signal, ...(signal ? [signal] : [])]);
        endTurn = outOfTurn ? () => undefined : await turns.take(namespaceOf(call), any);
        heard();
        const { response, info } = await unlessAborted(
          any,
          dispatch(call, any, { headersTimeout: 0, bodyTimeout: 0 }),
        );
        onResponse?.(info);
        if (response.statusCode >= 300) throw await refusal(call, response);
        const bytes = await collect(call, response, call.limitBytes, heard);
        call.onReceived?.(bytes.length);
        return decode(call, response, bytes);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!timeout.aborted || error instanceof KonductorError) throw asOurs(call, error);
        throw unreachable(
          call,
          endTurn
            ? `the API server did not answer within ${timeoutMs} ms`
            : `too many other calls were under way for ${timeoutMs} ms`,
          error,
        );
      } finally {
        stopSilence();
        endTurn?.();
      }
    },

    async stream(call, signal, silenceTimeoutMs) {
      try {
        const timeouts = { headersTimeout: DEFAULT_TIMEOUT_MS, bodyTimeout: silenceTimeoutMs };
        const { response } = await unlessAborted(signal, dispatch(call, signal, timeouts));
        if (response.statusCode >= 300) throw await refusal(call, response);
        return chunks(call, response, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw asOurs(call, error);
      }
    },

    close: () => credentials.close(),
  };
}

/** Of the objects that a call is about; "" for those of all namespaces, or of none. */
function namespaceOf({ path }: Call): string {
  return /\/namespaces\/([^/?]+)/.exec(path)?.[1] ?? "";
}

/** Neither an exec plugin nor a connecting undici looks at the signal. A request that was given up there is not sent later. */
async function unlessAborted<T>(signal: AbortSignal, request: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([request, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function* chunks(
  call: Call,
  { body }: Dispatcher.ResponseData,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield Buffer.from(chunk);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw asOurs(call, error);
  }
}

/** The body of an error; empty if it is too long or malformed, as a proxy's may be: the HTTP status still tells what happened. */
async function readError(call: Call, response: Dispatcher.ResponseData): Promise<unknown> {
  try {
    return decode(call, response, await collect(call, response, ERROR_LIMIT_BYTES));
  } catch (error) {
    if (hasCode(error, "TooLarge", "Internal")) return "";
    throw error;
  }
}

async function refusal(call: Call, response: Dispatcher.ResponseData): Promise<KonductorError> {
  const body = await readError(call, response);
  const { action, about } = call;
  return statusError(action, response.statusCode, body, {
    retryAfter: header(response, "retry-after"),
    about,
  });
}

/** `onPart` is called with every part of the body. */
async function collect(
  call: Call,
  { body }: Dispatcher.ResponseData,
  limitBytes: number,
  onPart?: () => void,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    onPart?.();
    const part = Buffer.from(chunk);
    size += part.length;
    if (size > limitBytes) {
      throw new KonductorError(
        "TooLarge",
        `cannot ${call.action}: the answer is longer than ${limitBytes} bytes`,
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** JSON itself, and the formats that are written in it (RFC 6839). */
const JSON_TYPE = /^application\/([\w.-]+\+)?json\b/;

function decode(call: Call, response: Dispatcher.ResponseData, bytes: Buffer): unknown {
  const content = bytes.toString("utf8");
  if (!isJson(response)) return content;
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new KonductorError("Internal", `cannot ${call.action}: the answer is not JSON`, { cause });
  }
}

function isJson(response: Dispatcher.ResponseData): boolean {
  return JSON_TYPE.test(header(response, "content-type") ?? "");
}

function header({ headers }: Dispatcher.ResponseData, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function asOurs(call: Call, error: unknown): KonductorError {
  return error instanceof KonductorError
    ? error
    : unreachable(call, "the connection to the API server failed", error);
}

function unreachable({ action }: Call, what: string, cause?: unknown): KonductorError {
  return new KonductorError("Unreachable", `cannot ${action}: ${what}`, { cause });
}
