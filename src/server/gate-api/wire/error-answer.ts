import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../../../shared/clock.ts";
import { describeError, hasCode, KonductorError } from "../../../shared/errors.ts";
import type { Logger } from "../../../shared/log.ts";
import { isoTime } from "../../../shared/times.ts";
import { loggedPath } from "../../logged-path.ts";
import { Refusal } from "../../refusal.ts";
import { note, notesOn } from "../../request-notes.ts";

const RETRY_AFTER_MS = 1_000;

/**
 * What the caller is told of an error: a Refusal as it is; a request that fastify could not read as BadRequest; trouble with
 * the API server as NotReady; all else as Internal. What is not the caller's business goes into the log.
 */
export function refusalOf(error: FastifyError | Error): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof KonductorError) {
    const { retryAfterMs = RETRY_AFTER_MS } = error;
    const message = "konductor's call to the API server failed; try again";
    return new Refusal("NotReady", message, { cause: error, retryAfterMs });
  }
  if ("statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500) {
    return new Refusal("BadRequest", error.message, { cause: error });
  }
  return new Refusal("Internal", "konductor failed; its log says why", { cause: error });
}

/** Answers errors as `{reason, message, serverTime}`. One for another replica ends the connection; a 429 says whether it is one. */
export function answerErrors({ clock, logger }: { clock: Clock; logger: Logger }) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => {
    const refusal = refusalOf(error);
    note(request, { reason: refusal.code });
    if (refusal.status >= 500) {
      const { id, url } = request;
      logger.warn(
        { reqId: id, path: loggedPath(url), ...notesOn(request), error: describeError(error) },
        "a gate API call failed",
      );
    }
    if (hasCode(refusal, "NotReady", "TooManyRequests")) {
      reply.header("retry-after", Math.ceil((refusal.retryAfterMs ?? RETRY_AFTER_MS) / 1_000));
    }
    if (refusal.elsewhere) reply.raw.shouldKeepAlive = false;
    return reply.code(refusal.status).send({
      reason: refusal.code,
      message: refusal.message,
      ...(refusal.code === "TooManyRequests" && { elsewhere: refusal.elsewhere }),
      serverTime: isoTime(clock.nowMs()),
    });
  };
}
