/** What every answer of the dashboard's server has in common. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { describeError, KonductorError } from "../../shared/errors.ts";
import type { Refusal } from "./wire.ts";

/** The page may use what this server has, and nothing else; nobody may frame it, read it or keep it. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** Begins an answer. */
export function begin(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...HEADERS, ...headers });
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) return;
  begin(response, status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(value));
}

/** One sentence, and the connection ends, so that nothing more of the request is read. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  response.shouldKeepAlive = false;
  sendJson(response, status, { message } satisfies Refusal);
}

/** Answers by what went wrong: the status of a coded error, else 500. */
export function sendError(response: ServerResponse, error: unknown): void {
  refuse(response, error instanceof KonductorError ? error.status : 500, describeError(error));
}

/**
 * The body of a request, as text.
 *
 * @throws KonductorError `TooLarge`.
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<string> {
  const tooLarge = () => new KonductorError("TooLarge", `a body of at most ${limitBytes} bytes is allowed`);
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const data = Buffer.from(chunk);
    bytes += data.length;
    // Leaving the loop also ends the connection: whoever has announced no length gets no answer.
    if (bytes > limitBytes) throw tooLarge();
    chunks.push(data);
  }
  return Buffer.concat(chunks).toString("utf8");
}
