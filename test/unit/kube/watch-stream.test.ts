import { expect, test } from "vitest";
import type { WatchEvent } from "../../../src/kube/api.ts";
import { watchEvents } from "../../../src/kube/watch-stream.ts";

async function* body(...chunks: Uint8Array[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

async function read(chunks: AsyncIterable<Buffer>, limitBytes?: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const event of watchEvents("watch things", chunks, limitBytes)) events.push(event);
  return events;
}

const line = (event: unknown) => `${JSON.stringify(event)}\n`;

test("events are complete wherever the stream is cut into chunks", async () => {
  const events = [
    { type: "ADDED", object: { name: "größer" } },
    { type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } },
    { type: "DELETED", object: null },
  ];
  const bytes = Buffer.from(events.map(line).join(""));
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    expect(await read(body(...chunks))).toEqual(events);
  }
});

test("an ERROR event is thrown as the error in it", async () => {
  const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
  await expect(read(body(Buffer.from(line({ type: "ERROR", object: expired }))))).rejects.toMatchObject({
    code: "Gone",
    message: "cannot watch things: too old resource version (HTTP 410)",
  });
});

test("an unfinished line, a broken line and an endless line are errors", async () => {
  const code = (text: string, limitBytes?: number) =>
    read(body(Buffer.from(text)), limitBytes).then(
      () => "none",
      (error) => error.code,
    );
  expect(await code('{"type":')).toBe("Unreachable");
  expect(await code("hello\n")).toBe("Unreachable");
  expect(await code("x".repeat(101), 100)).toBe("Internal");
});
