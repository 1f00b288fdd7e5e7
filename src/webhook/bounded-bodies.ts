import { Transform } from "node:stream";
import type { preParsingHookHandler } from "fastify";
import type { FairShare } from "./fair-share.ts";

/**
 * Counts what has come in of each body against `budget`, until all of it is there, which is then parsed and judged at once, or its sender has
 * gone. A body that does not fit ends with the error that `refuse` makes. Who announces a long body has not sent it yet, and takes nothing
 * from others.
 */
export function boundBodies(budget: FairShare, refuse: () => Error): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const peer = request.socket.remoteAddress ?? "";
    let taken = 0;
    function giveBack(): void {
      budget.give(peer, taken);
      taken = 0;
    }
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        if (!budget.take(peer, chunk.length)) return next(refuse());
        taken += chunk.length;
        next(null, chunk);
      },
    });
    counted.once("close", giveBack);
    reply.raw.once("close", giveBack);
    payload.once("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  };
}
