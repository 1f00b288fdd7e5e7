/** One POST of spans to a receiver of OTLP over HTTP. */
import { Pool } from "undici";
import { KonductorError } from "../shared/errors.ts";
import { formatSpans, rejectedIn, type Source } from "./otlp.ts";
import type { Span } from "./span.ts";

export interface Sender {
  /**
   * Resolves with how many of `spans` the receiver did not take. Rejects with Unreachable where it may take them later, and with Invalid
   * where it never will.
   */
  send(spans: readonly Span[]): Promise<number>;
  close(): Promise<void>;
}

const PATH = "/v1/traces";
const CONNECT_WITHIN_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
/** Of a longer answer only the status counts. */
const LONGEST_ANSWER_BYTES = 64 << 10;
/** What OTLP lets a client try again. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** `endpoint`: the base URL, as OTEL_EXPORTER_OTLP_ENDPOINT has it. */
export function createSender(endpoint: string, source: Source): Sender {
  const { origin, pathname } = new URL(endpoint);
  const path = pathname.replace(/\/+$/, "") + PATH;
  const pool = new Pool(origin, { connections: 1, connect: { timeout: CONNECT_WITHIN_MS } });

  async function post(spans: readonly Span[]): Promise<{ status: number; answer: string }> {
    try {
      const response = await pool.request({
        method: "POST",
        path,
        headers: { "content-type": "application/json", "user-agent": `konductor/${source.version}` },
        body: formatSpans(spans, source),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      return { status: response.statusCode, answer: await read(response.body) };
    } catch (cause) {
      throw new KonductorError("Unreachable", `${origin} did not take the spans`, { cause });
    }
  }

  return {
    async send(spans) {
      const { status, answer } = await post(spans);
      if (status >= 200 && status < 300) return Math.min(rejectedIn(answer), spans.length);
      throw new KonductorError(
        RETRYABLE.has(status) ? "Unreachable" : "Invalid",
        `${origin}${path} answered ${status}`,
      );
    },
    close: () => pool.destroy(),
  };
}

async function read(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    // Leaving the loop closes the connection.
    if (size > LONGEST_ANSWER_BYTES) return "";
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
