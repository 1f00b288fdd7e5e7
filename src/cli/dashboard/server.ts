/**
 * The dashboard's local HTTP server: bound to 127.0.0.1, one token for its whole life, and everything about it bounded. guard.ts says whom it answers.
 *
 * The address that the browser is started with bears a ticket instead of the token, since every user of a machine may read the arguments of a
 * process. A ticket is good for one request within half a minute: where no browser comes, nobody else can use it later.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Clock } from "../../shared/clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { begin, readBody, refuse, sendError, sendJson } from "./answers.ts";
import type { Asset } from "./assets.ts";
import type { Calls, HoldName } from "./calls.ts";
import { refusalOf } from "./guard.ts";
import { PATHS } from "./wire.ts";

export interface DashboardServer {
  /** What the page is opened by; it holds the token. */
  readonly url: string;
  /** An address that leads to {@link url}, once. */
  openTicket(): string;
  /** Ends it, and every connection. */
  close(): Promise<void>;
}

export interface ServerOptions {
  /** 0: any that is free. */
  port: number;
  readAsset(path: string): Promise<Asset | undefined>;
  calls: Calls;
  /** Begins the endless answer to a page. */
  openStream(response: ServerResponse): void;
  /** The same for the story of one hold. */
  openStory(response: ServerResponse, hold: HoldName): void;
  clock: Pick<Clock, "monotonicMs">;
  /** A ticket was used twice: whoever came first may have been another user of this machine. */
  onTicketReused(): void;
}

/** Open pages and stories in all. A browser keeps six connections to one server, for all of its tabs: one stays free for calls, so that none waits. */
const MOST_STREAMS = 5;
const MOST_CALLS = 16;
const MOST_CONNECTIONS = 64;
const MOST_BODY_BYTES = 4 << 10;
const HEADER_BYTES = 16 << 10;
const HEAD_WITHIN_MS = 5_000;
const REQUEST_WITHIN_MS = 15_000;
const CHECK_EVERY_MS = 1_000;
const TICKET_LIVES_MS = 30_000;
const TICKET_PATH = /^\/open\/([\w-]{43})$/;

/** Begins to listen. @throws KonductorError `BadRequest` if the port cannot be had. */
export async function startServer(options: ServerOptions): Promise<DashboardServer> {
  const { calls, readAsset, openStream, openStory, onTicketReused, clock } = options;
  const token = randomText();
  const tickets = new Map<string, { untilMs: number; isUsed: boolean }>();
  let port = options.port;
  let streams = 0;
  let underWay = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", headers } = request;
    const address = readAddress(request.url);
    const refused = address
      ? refusalOf({ method, path: address.pathname, headers }, { port, token })
      : { status: 400, message: "the address is malformed" };
    if (!address || refused) return refuse(response, refused?.status ?? 400, refused?.message ?? "");
    const { pathname, searchParams } = address;
    switch (pathname) {
      case PATHS.stream:
        return stream(response, () => openStream(response));
      case PATHS.story: {
        const hold = calls.hold(searchParams);
        return stream(response, () => openStory(response, hold));
      }
      case PATHS.preview:
        return await call(response, (signal) => calls.preview(searchParams, signal));
      case PATHS.release:
        return await call(response, async (signal) =>
          calls.release(await readBody(request, MOST_BODY_BYTES), signal),
        );
    }
    const [, ticket] = TICKET_PATH.exec(pathname) ?? [];
    return ticket === undefined ? await file(response, pathname) : redeem(response, ticket);
  }

  function stream(response: ServerResponse, begin: () => void): void {
    if (streams >= MOST_STREAMS) {
      refuse(
        response,
        429,
        `${MOST_STREAMS} pages and stories of this dashboard are open already: close one`,
      );
      return;
    }
    streams++;
    response.once("close", () => {
      streams--;
    });
    begin();
  }

  async function call(
    response: ServerResponse,
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    if (underWay >= MOST_CALLS)
      return refuse(response, 429, "too many calls are under way: try again in a moment");
    underWay++;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      sendJson(response, 200, await work(gone.signal));
    } finally {
      underWay--;
    }
  }

  async function file(response: ServerResponse, path: string): Promise<void> {
    const asset = await readAsset(path);
    if (!asset) return refuse(response, 404, "there is nothing under this address");
    begin(response, 200, { "content-type": asset.type });
    response.end(asset.body);
  }

  function redeem(response: ServerResponse, ticket: string): void {
    const found = tickets.get(ticket);
    if (!found || found.isUsed || clock.monotonicMs() > found.untilMs) {
      refuse(response, 410, "this address was good for one use: open the one that koncli has printed");
      if (found?.isUsed) onTicketReused();
      return;
    }
    found.isUsed = true;
    begin(response, 303, { location: `/#${token}` });
    response.end();
  }

  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEAD_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
    },
    (request, response) => {
      answer(request, response).catch((error: unknown) => sendError(response, error));
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(noPort(options.port, cause)));
    server.listen({ host: "127.0.0.1", port: options.port }, resolve);
  });
  const bound = server.address();
  if (typeof bound === "object" && bound) port = bound.port;
  const origin = `http://127.0.0.1:${port}`;

  return {
    url: `${origin}/#${token}`,
    openTicket() {
      const ticket = randomText();
      tickets.set(ticket, { untilMs: clock.monotonicMs() + TICKET_LIVES_MS, isUsed: false });
      return `${origin}/open/${ticket}`;
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

/** 32 random bytes. */
function randomText(): string {
  return randomBytes(32).toString("base64url");
}

/** Only an address of this server's own: a proxy would be asked for a whole URL. */
function readAddress(target = ""): URL | undefined {
  return target.startsWith("/") && !target.startsWith("//") && URL.canParse(target, "http://localhost")
    ? new URL(target, "http://localhost")
    : undefined;
}

function noPort(port: number, cause: Error): KonductorError {
  const message = `port ${port} of 127.0.0.1 cannot be had: give another one, or none (--port)`;
  return new KonductorError("BadRequest", message, { cause });
}
