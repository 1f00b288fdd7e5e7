import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Requests of one connection that wait for the end of their answers. Neither the API server nor gates send a request before they have the answer to
 * the one before; that answer may be here before we hear that it has gone out.
 */
const MOST_UNANSWERED = 8;

/**
 * Ends a connection on which more requests have come than somebody reads answers. Node would keep an answer to each of the hundreds of requests that fit
 * into one segment, until the first is read, and a peer that reads nothing keeps its connection.
 */
export function boundPipelines(server: Pick<Server, "on">): void {
  const unanswered = new WeakMap<Socket, number>();
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    if (count > MOST_UNANSWERED) socket.destroy();
  });
}
