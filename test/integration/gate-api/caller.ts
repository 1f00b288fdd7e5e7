import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { record } from "../../../src/shared/json.ts";
import { PATH } from "../../../src/shared/names.ts";

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: Record<string, unknown>;
}

/** The stream that answers an acquire. */
export interface Lines {
  status: number;
  /** The next line; undefined at the end of the stream. */
  next(): Promise<Record<string, unknown> | undefined>;
  /** Resolves once the server has closed the connection. */
  readonly closed: Promise<void>;
  /** Closes the connection from the caller's side. */
  hangUp(): void;
}

/** The requests of gate and keeper on the wire. */
export interface Caller {
  post(path: string, token: string, body: object): Promise<Answer>;
  acquire(token: string, body: object): Promise<Lines>;
}

/** Calls the server at `url` by TLS, with keep-alive connections. */
export function createCaller(url: string, ca: string): Caller {
  const agent = new Agent({ keepAlive: true });

  function send(path: string, token: string, body: object): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    request(new URL(path, url), { method: "POST", ca, agent, headers })
      .on("response", resolve)
      .on("error", reject)
      .end(JSON.stringify(body));
    return promise;
  }

  return {
    async post(path, token, body) {
      const answer = await send(path, token, body);
      const parsed: unknown = JSON.parse(await text(answer));
      return { status: answer.statusCode ?? 0, headers: answer.headers, body: record(parsed) };
    },
    async acquire(token, body) {
      const answer = await send(PATH.acquire, token, body);
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      answer.socket.once("close", resolve);
      const lines = createInterface(answer)[Symbol.asyncIterator]();
      return {
        status: answer.statusCode ?? 0,
        closed,
        async next() {
          const { done, value } = await lines.next();
          const parsed: unknown = done ? undefined : JSON.parse(value);
          return parsed === undefined ? undefined : record(parsed);
        },
        hangUp: () => void answer.destroy(),
      };
    },
  };
}
