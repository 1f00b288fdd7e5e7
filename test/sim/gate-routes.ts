/**
 * The routes of the gate API without a socket: the real handlers, with as much of fastify as they use. A real server takes longer for one
 * request than this simulation for a second of a whole cluster.
 */
import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from "fastify";

/** The response, before it travels. */
export interface Response {
  begin(status: number, headers: ReadonlyMap<string, string>): void;
  chunk(text: string): void;
  /** Ends the response and, with `close`, the connection. */
  end(options: { close: boolean }): void;
  /** Cuts the connection. */
  destroy(): void;
}

export interface Routes {
  /** Answers a POST. Returns a function to call when the caller has gone. */
  handle(call: { path: string; token: string; body: unknown }, response: Response): () => void;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => unknown;

export function mount(plugin: FastifyPluginCallback): Routes {
  const handlers = new Map<string, Handler>();
  let onError: ErrorHandler = (error) => {
    throw error;
  };
  const app = {
    setErrorHandler(handler: ErrorHandler) {
      onError = handler;
    },
    post: (path: string, _limits: object, handler: Handler) => void handlers.set(path, handler),
  };
  plugin(app as unknown as FastifyInstance, {}, () => undefined);

  return {
    handle({ path, token, body }, response) {
      const handler = handlers.get(path);
      if (!handler) throw new Error(`nothing is served at ${path}`);
      const { reply, hangUp, socket } = replyTo(response);
      const sent = { id: "1", url: path, headers: { authorization: `Bearer ${token}` }, body, socket };
      const request = sent as unknown as FastifyRequest;
      const answer = async () => {
        try {
          const result = await handler(request, reply.asReply);
          if (result !== reply.asReply) reply.send(result);
        } catch (error) {
          await onError(error, request, reply.asReply);
        }
      };
      void answer();
      return hangUp;
    },
  };
}

function replyTo(response: Response) {
  const headers = new Map<string, string>();
  const listeners: (() => void)[] = [];
  let status = 200;
  let isSent = false;
  const isClosing = () => headers.get("connection") === "close" || !raw.shouldKeepAlive;
  const hangUp = () => {
    if (raw.destroyed) return;
    raw.destroyed = true;
    for (const listener of listeners.splice(0)) listener();
  };
  const raw = {
    writableEnded: false,
    destroyed: false,
    writableLength: 0,
    shouldKeepAlive: true,
    socket: { setNoDelay() {}, end: () => response.end({ close: true }) },
    writeHead(code: number) {
      status = code;
    },
    flushHeaders: () => response.begin(status, headers),
    write: (text: string) => response.chunk(text),
    end(text: string, done?: () => void) {
      raw.writableEnded = true;
      response.chunk(text);
      done?.();
      response.end({ close: isClosing() });
      hangUp();
    },
    destroy() {
      response.destroy();
      hangUp();
    },
    once: (_event: "close", listener: () => void) => void listeners.push(listener),
  };
  const reply = {
    raw: raw as unknown as ServerResponse,
    hijack() {
      isSent = true;
    },
    code(code: number) {
      status = code;
      return reply;
    },
    header(name: string, value: unknown) {
      headers.set(name, String(value));
      return reply;
    },
    send(body: unknown) {
      if (isSent) return reply;
      isSent = true;
      response.begin(status, headers);
      raw.end(JSON.stringify(body));
      return reply;
    },
    get asReply() {
      return reply as unknown as FastifyReply;
    },
  };
  return { reply, hangUp, socket: raw };
}
