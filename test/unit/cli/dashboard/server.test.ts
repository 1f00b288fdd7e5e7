/** The dashboard's local server over a real socket: what it answers, with which headers, and its bounds. */
import { once } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DashboardServer, startServer } from "../../../../src/cli/dashboard/server.ts";
import { PATHS } from "../../../../src/cli/dashboard/wire.ts";
import { KonductorError } from "../../../../src/shared/errors.ts";

let server: DashboardServer;
let url: URL;
let token: string;
const streams: ServerResponse[] = [];
const bodies: string[] = [];
let reused = 0;
let nowMs = 0;
let abandoned = 0;
/** Resolves when one was asked for. */
let previews: PromiseWithResolvers<void>;

function opened(response: ServerResponse): void {
  streams.push(response);
  response.writeHead(200).write("[]\n");
}

beforeEach(async () => {
  streams.length = 0;
  bodies.length = 0;
  reused = 0;
  abandoned = 0;
  previews = Promise.withResolvers();
  server = await startServer({
    port: 0,
    readAsset: async (path) =>
      path === "/" ? { type: "text/html; charset=utf-8", body: "<p>page" } : undefined,
    calls: {
      hold(query) {
        const lease = query.get("lease");
        if (lease === null) throw new KonductorError("BadRequest", "which hold?");
        return { namespace: "ns", lease, token: 1 };
      },
      preview(_, signal) {
        const gone = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => {
          abandoned++;
          gone.reject(signal.reason);
        });
        previews.resolve();
        return gone.promise;
      },
      async release(body) {
        bodies.push(body);
        return { message: "done" };
      },
    },
    openStream: opened,
    openStory: opened,
    onTicketReused: () => void reused++,
    clock: { monotonicMs: () => nowMs },
  });
  url = new URL(server.url);
  token = url.hash.slice(1);
});
afterEach(() => server.close());

interface Answer {
  status: number | undefined;
  headers: IncomingMessage["headers"];
  body: string;
}

async function ask(
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = "GET",
  body = "",
): Promise<Answer> {
  const sent = request({ host: "127.0.0.1", port: url.port, path, method, headers });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.setEncoding("utf8");
  let text = "";
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode, headers: answer.headers, body: text };
}

const mine = () => ({ authorization: `Bearer ${token}` });
const json = () => ({ ...mine(), "content-type": "application/json" });

/** A stream that is left open. */
async function openStream(path: string): Promise<IncomingMessage> {
  const sent = request({ host: "127.0.0.1", port: url.port, path, headers: mine() });
  sent.on("error", () => undefined);
  sent.end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.on("error", () => undefined);
  return answer;
}

test("the address is of the loopback, with a token of 32 bytes in its fragment, which no browser sends", () => {
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}$/);
});

test.each(["/", "/nothing", "/api/nothing", PATHS.stream])(
  "%s is answered with strict headers",
  async (path) => {
    const { headers } = await ask(path);
    expect(headers).toMatchObject({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
  },
);

test("the page is answered without a token, and nothing else is", async () => {
  expect(await ask("/")).toMatchObject({ status: 200, body: "<p>page" });
  expect(await ask("/other")).toMatchObject({ status: 404 });
  for (const path of Object.values(PATHS)) expect(await ask(path)).toMatchObject({ status: 401 });
});

test.each([
  ["/x/../api/stream", 401],
  ["//evil.example/", 400],
  ["http://evil.example/", 400],
  ["*", 400],
])("the address %s is taken for what it is", async (path, status) => {
  expect(await ask(path)).toMatchObject({ status });
});

test("a refusal is one sentence as JSON", async () => {
  const { body } = await ask(PATHS.stream, { host: "evil.example" });
  expect(JSON.parse(body)).toEqual({ message: expect.stringContaining("its own address only") });
});

test("a coded error is answered with its status and message", async () => {
  expect(await ask(PATHS.story, mine())).toMatchObject({
    status: 400,
    body: JSON.stringify({ message: "which hold?" }),
  });
});

test("an order is taken by POST, with a body of 4 KiB at most", async () => {
  expect(await ask(PATHS.release, json(), "POST", "{}")).toMatchObject({ status: 200 });
  expect(await ask(PATHS.release, json(), "POST", "x".repeat(4_096))).toMatchObject({ status: 200 });
  const long = "x".repeat(4_097);
  expect(await ask(PATHS.release, { ...json(), "content-length": 4_097 }, "POST", long)).toMatchObject({
    status: 413,
  });
  // Of an unannounced length: there may be no answer.
  const chunked = { ...json(), "transfer-encoding": "chunked" };
  await ask(PATHS.release, chunked, "POST", "x".repeat(100_000)).catch(() => undefined);
  expect(bodies.map(({ length }) => length)).toEqual([2, 4_096]);
});

test("five pages and stories are told, and no more until one is closed: a browser has one connection left", async () => {
  const story = `${PATHS.story}?lease=nightly`;
  const paths = [PATHS.stream, story, PATHS.stream, story, PATHS.stream];
  const open = await Promise.all(paths.map(openStream));
  expect(open.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200]);
  for (const path of [PATHS.stream, story]) {
    const { status, body } = await ask(path, mine());
    expect([status, body]).toEqual([429, expect.stringContaining("are open already: close one")]);
  }
  expect(await ask(PATHS.release, json(), "POST", "{}")).toMatchObject({ status: 200 });
  const closed = new Promise((resolve) => streams[0]?.once("close", resolve));
  open[0]?.destroy();
  await closed;
  const again = await openStream(story);
  expect(again.statusCode).toBe(200);
  for (const each of [...open, again]) each.destroy();
});

test("closing it ends the streams", async () => {
  const stream = await openStream(PATHS.stream);
  const ended = new Promise((resolve) => stream.once("close", resolve));
  await server.close();
  await ended;
});

test("what is read for a page ends when the page is gone", async () => {
  const sent = request({ host: "127.0.0.1", port: url.port, path: PATHS.preview, headers: mine() });
  sent.on("error", () => undefined).end();
  await previews.promise;
  expect(abandoned).toBe(0);
  sent.destroy();
  while (abandoned === 0) await new Promise((resolve) => setImmediate(resolve));
});

test("who sends no request loses the connection", async () => {
  const socket = connect(Number(url.port), "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\n");
  socket.resume();
  await once(socket, "close");
});

describe("a ticket", () => {
  test("leads to the page's address once; a second use is told, since another user may have read it", async () => {
    const { pathname } = new URL(server.openTicket());
    expect(pathname).not.toContain(token);
    expect(await ask(pathname)).toMatchObject({ status: 303, headers: { location: `/#${token}` } });
    expect(reused).toBe(0);
    const second = await ask(pathname);
    expect([second.status, second.headers.location]).toEqual([410, undefined]);
    expect(reused).toBe(1);
  });

  test("that no browser has used for half a minute leads nowhere any more", async () => {
    const { pathname } = new URL(server.openTicket());
    nowMs += 30_001;
    expect(await ask(pathname)).toMatchObject({ status: 410 });
    expect(reused).toBe(0);
  });

  test("that was never given leads nowhere, and is no sign of anything", async () => {
    expect(await ask(`/open/${"x".repeat(43)}`)).toMatchObject({ status: 410 });
    expect(reused).toBe(0);
  });
});

test("a port that is taken is refused in one sentence", async () => {
  const port = Number(url.port);
  const options = {
    port,
    readAsset: async () => undefined,
    openStream() {},
    openStory() {},
    onTicketReused() {},
    clock: { monotonicMs: () => 0 },
  };
  const none = () => Promise.reject(new Error("not called"));
  await expect(
    startServer({
      ...options,
      calls: { hold: () => ({ namespace: "", lease: "", token: 1 }), preview: none, release: none },
    }),
  ).rejects.toMatchObject({ code: "BadRequest", message: expect.stringContaining(`port ${port}`) });
});
