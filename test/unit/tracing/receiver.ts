/** A receiver of OTLP over HTTP, which reads what was really sent. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { list, parseJson, record, text } from "../../../src/shared/json.ts";

/** A span as it came over the wire. */
export interface ReceivedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  /** Of the resource. */
  resource: Record<string, unknown>;
  error: string | undefined;
}

export interface Receiver {
  url: string;
  spans: ReceivedSpan[];
  /** Paths and content types of all calls. */
  calls: string[];
  close(): Promise<void>;
}

/** `answer`: what it answers each call with; undefined: nothing, ever. */
export async function startReceiver(
  answer: () => { status: number; body: string } | undefined = () => ({ status: 200, body: "{}" }),
): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const calls: string[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    calls.push(`${request.method} ${request.url} ${request.headers["content-type"]}`);
    const said = answer();
    if (!said) return;
    if (said.status === 200) spans.push(...spansIn(Buffer.concat(parts).toString()));
    response.writeHead(said.status, { "content-type": "application/json" }).end(said.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    calls,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function spansIn(body: string): ReceivedSpan[] {
  return list(record(parseJson(body))["resourceSpans"])
    .map(record)
    .flatMap(({ resource, scopeSpans }) =>
      list(scopeSpans).flatMap((scope) =>
        list(record(scope)["spans"]).map((span) => readSpan(record(span), attributesIn(record(resource)))),
      ),
    );
}

function readSpan(span: Record<string, unknown>, resource: Record<string, unknown>): ReceivedSpan {
  const status = record(span["status"]);
  return {
    name: text(span["name"]) ?? "",
    traceId: text(span["traceId"]) ?? "",
    spanId: text(span["spanId"]) ?? "",
    parentSpanId: text(span["parentSpanId"]),
    startMs: millisecondsIn(span["startTimeUnixNano"]),
    endMs: millisecondsIn(span["endTimeUnixNano"]),
    attributes: attributesIn(span),
    resource,
    error: status["code"] === 2 ? text(status["message"]) : undefined,
  };
}

const millisecondsIn = (nanoseconds: unknown) => Number(BigInt(text(nanoseconds) ?? "0") / 1_000_000n);

function attributesIn({ attributes }: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    list(attributes)
      .map(record)
      .map(({ key, value }) => [String(key), Object.values(record(value))[0]]),
  );
}
