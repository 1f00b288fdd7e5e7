import { Transform } from "node:stream";
import type { preParsingHookHandler } from "fastify";
import type { FairShare } from "../../shared/fair-share.ts";

export interface BodyBounds {
  budget: FairShare;
  /** Creates the error for a body that does not fit. */
  refuse: () => Error;
  /** How long a body counts: `received` where it is parsed once complete, `answered` where it may have to wait for its turn. */
  until: "received" | "answered";
}

/**
 * Counts the received bytes of each body against a budget, at most until the request is answered or its sender has gone; later bytes are
 * thrown away. An announced length does not count: it takes nothing from others.
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
