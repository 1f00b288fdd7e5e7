import type { ServerResponse } from "node:http";
import type { Clock } from "../../../shared/clock.ts";
import { isoTime } from "../../../shared/times.ts";

/** A reader that lets this much pile up is gone or stuck; it comes back on a new connection. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** A streamed answer: one JSON document per line, each sent at once. */
export interface LineStream {
  /** Sends one line; a reader that does not read loses its connection instead. */
  send(line: object): void;
  /** Sends the last line. `close`: also closes the connection, so that the reader's next request goes elsewhere. */
  end(line: object, options?: { close?: boolean }): void;
  /** Cuts the connection. */
  destroy(): void;
  /** Calls `listener` once, when the last line was sent or the connection is gone. */
  onClose(listener: () => void): void;
}

/** Begins to stream on a response that nothing was sent on yet. */
export function openLineStream(response: ServerResponse, clock: Pick<Clock, "nowMs">): LineStream {
  response.writeHead(200, {
    // no-transform keeps proxies from compressing, and so from holding lines back.
    "content-type": "application/x-ndjson",
    "cache-control": "no-store, no-transform",
  });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const textOf = (line: object) => `${JSON.stringify({ ...line, serverTime: isoTime(clock.nowMs()) })}\n`;
  return {
    send(line) {
      if (response.writableEnded || response.destroyed) return;
      response.write(textOf(line));
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
    },
    end(line, { close = false } = {}) {
      if (response.writableEnded || response.destroyed) return;
      const { socket } = response;
      response.end(textOf(line), () => {
        if (close) socket?.end();
      });
    },
    destroy: () => void response.destroy(),
    onClose(listener) {
      if (response.destroyed) listener();
      else response.once("close", listener);
    },
  };
}
