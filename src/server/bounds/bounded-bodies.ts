import { Transform } from "node:stream";
import type { preParsingHookHandler } from "fastify";
import type { FairShare } from "./fair-share.ts";

export interface BodyBounds {
  budget: FairShare;
  /** Makes the error with which a body ends that does not fit. */
  refuse: () => Error;
  /** Until when a body counts: until all of it is there, since it is then parsed at once; or until it is answered, since it may have to wait for its turn. */
  until: "received" | "answered";
}

/**
 * Counts what has come in of each body against a budget. It counts no longer than until it is answered or its sender has gone; what still comes
 * then is thrown away. Who announces a long body has not sent it yet, and takes nothing from others.
 */
export function boundBodies({ budget, refuse, until }: BodyBounds): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const peer = request.socket.remoteAddress ?? "";
    let taken = 0;
    let isOver = false;
    function giveBack(): void {
      budget.give(peer, taken);
      taken = 0;
    }
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        if (isOver) return next();
        if (!budget.take(peer, chunk.length)) return next(refuse());
        taken += chunk.length;
        next(null, chunk);
      },
    });
    if (until === "received") counted.once("close", giveBack);
    reply.raw.once("close", () => {
      isOver = true;
      giveBack();
    });
    payload.once("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  };
}
