/** What goes over the wire to a receiver of OTLP, and what its answers mean. */
import { afterEach, expect, it, test } from "vitest";
import { hasCode } from "../../../src/shared/errors.ts";
import { createSender, type Sender } from "../../../src/tracing/sender.ts";
import type { Span } from "../../../src/tracing/span.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const SPAN: Span = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentId: "00f067aa0ba902b7",
  name: "hold",
  startMs: 1_767_226_200_000,
  endMs: 1_767_226_200_003.25,
  attributes: { "konductor.token": 41, "konductor.holder": 'a"b\u2028\u0000', "k8s.node.name": undefined },
  error: "it was fenced",
  namespace: "ns",
};

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

async function staged(
  answer?: () => { status: number; body: string } | undefined,
  path = "",
): Promise<{ sender: Sender; receiver: Receiver }> {
  const receiver = await startReceiver(answer);
  const source = { resource: { "service.name": "konductor" }, version: "1.2.3" };
  const sender = createSender(`${receiver.url}${path}`, source);
  opened.push(receiver, sender);
  return { sender, receiver };
}

test("a span comes as it was told", async () => {
  const { sender, receiver } = await staged();
  expect(await sender.send([SPAN])).toBe(0);
  expect(receiver.calls).toEqual(["POST /v1/traces application/json"]);
  expect(receiver.spans).toEqual([
    {
      name: "hold",
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      parentSpanId: SPAN.parentId,
      startMs: 1_767_226_200_000,
      endMs: 1_767_226_200_003,
      attributes: { "konductor.token": "41", "konductor.holder": 'a"b\u2028\u0000' },
      resource: { "service.name": "konductor" },
      error: "it was fenced",
    },
  ]);
});

test("the endpoint may have a path", async () => {
  const { sender, receiver } = await staged(undefined, "/otlp/");
  await sender.send([SPAN]);
  expect(receiver.calls).toEqual(["POST /otlp/v1/traces application/json"]);
});

it.each([
  ['{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}', 1],
  ['{"partialSuccess":{"rejectedSpans":1}}', 1],
  ['{"partialSuccess":{"rejectedSpans":"9999"}}', 2],
  ['{"partialSuccess":{"rejectedSpans":-3}}', 0],
  ['{"partialSuccess":{}}', 0],
  ["no JSON", 0],
  ["x".repeat(1 << 20), 0],
])("an answer that begins %.40s rejects %i of two", async (body, rejected) => {
  const { sender } = await staged(() => ({ status: 200, body }));
  expect(await sender.send([SPAN, SPAN])).toBe(rejected);
});

it.each([
  [429, "Unreachable"],
  [503, "Unreachable"],
  [400, "Invalid"],
  [404, "Invalid"],
  [302, "Invalid"],
] as const)("an answer %i is %s", async (status, code) => {
  const { sender } = await staged(() => ({ status, body: "" }));
  const error: unknown = await sender.send([SPAN]).catch((thrown: unknown) => thrown);
  expect(hasCode(error, code)).toBe(true);
});

test("a receiver that is gone may come back", async () => {
  const { sender, receiver } = await staged();
  await receiver.close();
  const error: unknown = await sender.send([SPAN]).catch((thrown: unknown) => thrown);
  expect(hasCode(error, "Unreachable")).toBe(true);
});
