import { once } from "node:events";
import { createServer, get, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { openLineStream } from "../../../src/server/gate-api/acquire/line-stream.ts";

test("a client that does not read loses its connection, and few bytes are kept for it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address: AddressInfo | string | null = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server has no port");
  const call = get({ port: address.port, host: "127.0.0.1" });
  call.on("response", (answer) => answer.pause()).on("error", () => {});
  const [, response]: [unknown, ServerResponse] = await new Promise((resolve) => {
    server.once("request", (request, answer) => resolve([request, answer]));
  });

  const stream = openLineStream(response, { nowMs: () => 0 });
  let isClosed = false;
  stream.onClose(() => {
    isClosed = true;
  });
  const most = 64 * 1024 + 2 * 1_000;
  while (!isClosed) {
    stream.send({ said: "x".repeat(1_000) });
    expect(response.writableLength).toBeLessThan(most);
    await nextTurn();
  }
  expect(response.writableFinished).toBe(false);
  call.destroy();
  server.close();
});
