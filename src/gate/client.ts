import { readFileSync } from "node:fs";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { PATH } from "../shared/names.ts";
import {
  errorOf,
  parseQueueLine,
  parseReleased,
  parseRenewed,
  type QueueLine,
  type Renewed,
} from "./answers.ts";
import { boundedLines, boundedText } from "./lines.ts";
import type { Route } from "./route.ts";
import type { Answer, Transport } from "./transport.ts";

export interface CallOptions {
  /** Limit of the whole call. */
  totalMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * The gate API. Each call is one try at one address and throws a KonductorError: Unreachable when nothing of konductor's came
 * back (the next try then goes to the next address), else the code of its answer. An aborted call throws its signal's reason.
 */
export interface Client {
  /** Queues for the lease; `lostToken` reports the end of an earlier hold, `gateRun` which run asks. Yields what the server says, as it says it. */
  acquire(
    report: { lostToken?: number | undefined; gateRun: string },
    options: { signal?: AbortSignal | undefined },
  ): AsyncGenerator<QueueLine>;
  renew(hold: { token: number; ttlMs: number; gateRun?: string }, options: CallOptions): Promise<Renewed>;
  announce(token: number, options: CallOptions): Promise<void>;
  /** Whether the hold is over now; if not, the server waits for proof that main has ended. */
  release(token: number, sincePreStopMs: number | undefined, options: CallOptions): Promise<boolean>;
}

export interface ClientOptions {
  lease: string;
  transport: Transport;
  route: Route;
  /** The kubelet replaces this file as the token ages, so it is read for every call. */
  tokenPath: string;
  connectMs: number;
  /** How long an acquire may stay silent: the server says something at least every 15 s. */
  silenceMs: number;
}

export function createClient({
  lease,
  transport,
  route,
  tokenPath,
  connectMs,
  silenceMs,
}: ClientOptions): Client {
  interface Limits {
    signal?: AbortSignal | undefined;
    totalMs?: number;
  }

  async function send(path: string, body: object, limits: Limits): Promise<Answer> {
    const answer = await transport({
      address: route.current(),
      path,
      bearerToken: readToken(tokenPath),
      body: { lease, ...body },
      connectMs,
      silenceMs,
      ...limits,
    });
    if (answer.status === 200) return answer;
    throw errorOf(answer.status, await boundedText(answer.chunks), answer.retryAfterMs);
  }

  function rotating(error: unknown): unknown {
    if (hasCode(error, "Unreachable")) route.failed();
    return error;
  }

  async function call<T>(
    path: string,
    body: object,
    limits: CallOptions,
    read: (text: string) => T,
  ): Promise<T> {
    try {
      return read(await boundedText((await send(path, body, limits)).chunks));
    } catch (error) {
      throw rotating(error);
    }
  }

  return {
    async *acquire(report, limits) {
      try {
        const answer = await send(PATH.acquire, report, limits);
        for await (const line of boundedLines(answer.chunks)) {
          const message = parseQueueLine(line);
          if (message.state === "granted") route.learn(message);
          yield message;
        }
      } catch (error) {
        throw rotating(error);
      }
    },
    async renew(hold, limits) {
      const renewed = await call(PATH.renew, hold, limits, (text) => parseRenewed(text, hold.token));
      route.learn(renewed);
      return renewed;
    },
    announce: (token, limits) => call(PATH.announce, { token }, limits, () => {}),
    release: (token, sincePreStopMs, limits) =>
      call(PATH.release, { token, sincePreStopMs }, limits, parseReleased),
  };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new KonductorError("Unauthenticated", `the pod's token cannot be read from ${path}`, { cause });
  }
}
