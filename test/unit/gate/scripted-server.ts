import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificate } from "./certificates.ts";

export interface Received {
  path: string;
  body: Record<string, unknown>;
  authorization: string | undefined;
  atMs: number;
  response: ServerResponse;
}

/** The server's answer to a request. An answer may also never end the response. */
export type Reply = (received: Received) => void;

/** A real HTTPS server that answers each path with its replies in order, and repeats the last one. */
export interface ScriptedServer {
  url: string;
  play(path: string, ...replies: Reply[]): void;
  requests(path: string): Received[];
  /** Resolves with the `count`th request (from 1) to `path`, as soon as it has arrived. */
  received(path: string, count?: number): Promise<Received>;
  close(): Promise<void>;
}

export async function scriptedServer({ cert, key }: Certificate): Promise<ScriptedServer> {
  const scripts = new Map<string, Reply[]>();
  const all: Received[] = [];
  const watchers = new Set<() => void>();
  const server = createServer({ cert, key }, (request, response) => {
    const atMs = performance.now();
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      const body: Record<string, unknown> = JSON.parse(Buffer.concat(chunks).toString());
      const received = { path, body, authorization: request.headers.authorization, atMs, response };
      all.push(received);
      const replies = scripts.get(path) ?? [];
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      reply?.(received);
      for (const watcher of watchers) watcher();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const requests = (path: string): Received[] => all.filter((received) => received.path === path);
  return {
    url: `https://127.0.0.1:${portOf(server.address())}`,
    play: (path, ...replies) => void scripts.set(path, replies),
    requests,
    received(path, count = 1) {
      const { promise, resolve } = Promise.withResolvers<Received>();
      const look = (): void => {
        const found = requests(path)[count - 1];
        if (found === undefined) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
      return promise;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string")
    throw new Error("the server does not listen on a port");
  return address.port;
}

/** Answers `body` as JSON. */
export function json(body: object, status = 200, headers: Record<string, string> = {}): Reply {
  return ({ response }) => response.writeHead(status, headers).end(JSON.stringify(body));
}

/** Streams `lines`, and leaves the stream open unless `end` is set. */
export function stream(lines: object[], { end = false } = {}): Reply {
  return ({ response }) => {
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    if (end) response.end();
  };
}

/** Answers `text` as it is. */
export function raw(text: string): Reply {
  return ({ response }) => response.end(text);
}

/** Never answers. */
export const silent: Reply = () => {};
