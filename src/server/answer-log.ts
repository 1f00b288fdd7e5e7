import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../shared/log.ts";
import { loggedPath } from "./logged-path.ts";
import { notesOn } from "./request-notes.ts";

/** A hook `onResponse` that logs every answer: a refusal at info, another at debug. */
export function answerLog(logger: Logger) {
  return (
    request: Pick<FastifyRequest, "id" | "method" | "url">,
    { statusCode, elapsedTime }: Pick<FastifyReply, "statusCode" | "elapsedTime">,
    done: () => void,
  ): void => {
    const { id, method, url } = request;
    const path = loggedPath(url);
    const line = { reqId: id, method, path, status: statusCode, elapsedMs: Math.round(elapsedTime) };
    if (statusCode >= 400) logger.info({ ...line, ...notesOn(request) }, "request refused");
    else logger.debug({ ...line, ...notesOn(request) }, "request answered");
    done();
  };
}
