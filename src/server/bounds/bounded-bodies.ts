import { Transform } from "node:stream";
import type { preParsingHookHandler } from "fastify";
import type { FairShare } from "./fair-share.ts";

/**
 * Counts what has come in of each body against `budget`, until it is answered or its sender has gone. A body that does not fit ends with the
 * error that `refuse` makes. Who announces a long body has not sent it yet, and takes nothing from others.
 */
export function boundBodies(budget: FairShare, refuse: () => Error): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const peer = request.socket.remoteAddress ?? "";
    let taken = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        if (!budget.take(peer, chunk.length)) return next(refuse());
        taken += chunk.length;
        next(null, chunk);
      },
    });
    reply.raw.once("close", () => budget.give(peer, taken));
    payload.once("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  };
}
