import { readFileSync } from "node:fs";
import { KonductorError } from "../../shared/errors.ts";
import { PATH } from "../../shared/names.ts";
import {
  errorOf,
  isForElsewhere,
  parseQueueLine,
  parseReleased,
  parseRenewed,
  type QueueLine,
  type Renewed,
} from "./answers.ts";
import { boundedLines, boundedText } from "./lines.ts";
import type { Address, Route } from "./route.ts";
import type { Answer, Transport } from "./transport.ts";

export interface CallOptions {
  /** Limit of the whole call. */
  totalMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * The gate API. Each call is one try at one address and throws a KonductorError: Unreachable if no answer of konductor's came back, else
 * the code of its answer. An aborted call throws its signal's reason.
 *
 * A connection that is kept alive stays with its replica. So one whose replica could not answer, or sent the caller elsewhere, is never
 * used again, whatever its headers say, and the next try goes to the next address.
 */
export interface Client {
  /** Queues for the lease; `lostToken` reports the end of an earlier hold, `gateRun` which run asks. Yields lines as they come. */
  acquire(
    report: { lostToken?: number | undefined; gateRun: string },
    options: { signal?: AbortSignal | undefined },
  ): AsyncGenerator<QueueLine>;
  /** `gateRun` where a gate confirms; else `keeperSince`: since when the keeper runs. */
  renew(
    hold: { token: number; ttlMs: number } & ({ gateRun: string } | { keeperSince: string }),
    options: CallOptions,
  ): Promise<Renewed>;
  /** `keeperSince`: since when the keeper is asked to stop. */
  announce(hold: { token: number; keeperSince: string }, options: CallOptions): Promise<void>;
  /** Whether the hold is over now; if not, the server waits for proof that main has ended. */
  release(
    hold: { token: number; keeperSince: string; sincePreStopMs: number | undefined },
    options: CallOptions,
  ): Promise<boolean>;
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

  /** One try: where it goes, and what came back so far. */
  interface Try {
    address: Address;
    answer?: Answer;
  }

  async function send(own: Try, path: string, body: object, limits: Limits): Promise<AsyncIterable<Buffer>> {
    const bearerToken = readToken(tokenPath);
    own.answer = await transport({
      address: own.address,
      path,
      bearerToken,
      body: { lease, ...body },
      connectMs,
      silenceMs,
      ...limits,
    });
    const { status, chunks, retryAfterMs } = own.answer;
    if (status === 200) {
      route.answered(own.address);
      return chunks;
    }
    throw errorOf(status, await boundedText(chunks), retryAfterMs);
  }

  function goElsewhere({ address, answer }: Try): void {
    answer?.leave();
    route.failed(address);
  }

  function failed(own: Try, error: unknown): unknown {
    if (error instanceof KonductorError && isForElsewhere(error)) goElsewhere(own);
    return error;
  }

  async function call<T>(
    path: string,
    body: object,
    limits: CallOptions,
    read: (text: string) => T,
  ): Promise<T> {
    const own: Try = { address: route.current() };
    try {
      return read(await boundedText(await send(own, path, body, limits)));
    } catch (error) {
      throw failed(own, error);
    }
  }

  return {
    async *acquire(report, limits) {
      const own: Try = { address: route.current() };
      try {
        for await (const line of boundedLines(await send(own, PATH.acquire, report, limits))) {
          const message = parseQueueLine(line);
          if (message.state === "granted" || message.state === "waiting") route.learn(message);
          if (message.state === "reconnect" && message.elsewhere) goElsewhere(own);
          yield message;
          if (message.state !== "waiting") return;
        }
        throw new KonductorError("Unreachable", "konductor ended the stream without an answer");
      } catch (error) {
        throw failed(own, error);
      }
    },
    async renew(hold, limits) {
      const renewed = await call(PATH.renew, hold, limits, (text) => parseRenewed(text, hold.token));
      route.learn(renewed);
      return renewed;
    },
    announce: (hold, limits) => call(PATH.announce, hold, limits, () => {}),
    release: (hold, limits) => call(PATH.release, hold, limits, parseReleased),
  };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new KonductorError("Unauthenticated", `the pod's token cannot be read from ${path}`, { cause });
  }
}
