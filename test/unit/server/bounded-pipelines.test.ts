/** Whoever sends requests without reading the answers keeps few of them in our memory. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { boundPipelines } from "../../../src/server/bounds/bounded-pipelines.ts";

const GET = "GET / HTTP/1.1\r\nhost: k\r\n\r\n";

async function serve() {
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => void waiting.push(response));
  boundPipelines(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  socket.on("error", () => undefined);
  let isOpen = true;
  socket.once("close", () => {
    isOpen = false;
  });
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  return { socket, waiting, isOpen: () => isOpen };
}

test("a connection on which hundreds of requests come at once is ended", async () => {
  const { socket, isOpen } = await serve();
  socket.resume();
  socket.write(GET.repeat(600));
  await expect.poll(isOpen).toBe(false);
});

test("a connection stays for any number of requests, each of which comes when the one before is answered", async () => {
  const { socket, waiting, isOpen } = await serve();
  for (let number = 1; number <= 20; number++) {
    const answered = once(socket, "data");
    socket.write(GET);
    await expect.poll(() => waiting.length).toBe(number);
    waiting.at(-1)?.end("done");
    await answered;
  }
  expect(isOpen()).toBe(true);
});
