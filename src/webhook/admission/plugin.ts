import type { FastifyError, FastifyPluginCallback } from "fastify";
import { describeError, hasCode, KonductorError } from "../../shared/errors.ts";
import { PATH } from "../../shared/names.ts";
import { boundBodies } from "../bounded-bodies.ts";
import type { Bounds } from "../bounds.ts";
import { createFairShare } from "../fair-share.ts";
import { requireCertificate } from "./client-certificate.ts";
import type { AdmissionContext } from "./context.ts";
import { mutate } from "./mutate.ts";
import { parseReview, reviewOf } from "./review.ts";

/**
 * The longest AdmissionReview that is read. The API server takes requests of up to 3 MiB and stores about 1.5 MiB; an update
 * carries both versions.
 */
export const ADMISSION_BODY_LIMIT_BYTES = 5 * 1024 * 1024;

/**
 * Serves the mutating webhook at {@link PATH.mutate}; what is no AdmissionReview is answered 400, what is too long 413. `reviewBytes`: so much
 * of all reviews may be coming in, of which one peer may be sending half. Many API servers call at a time, with reviews of a few KiB.
 * `needsCertificate`: whoever shows no client certificate is refused; the server has to ask for one (askForCertificate).
 */
export function admissionPlugin(
  context: AdmissionContext,
  { reviewBytes, needsCertificate = false }: Pick<Bounds, "reviewBytes"> & { needsCertificate?: boolean },
): FastifyPluginCallback {
  const budget = createFairShare(reviewBytes);
  const refuse = () => new KonductorError("NotReady", "too many long reviews are coming in; try again");
  return (app, _options, done) => {
    if (needsCertificate) app.addHook("onRequest", requireCertificate);
    app.addHook("preParsing", boundBodies(budget, refuse));
    app.setErrorHandler((error: FastifyError | KonductorError, _request, reply) => {
      const status = (error instanceof KonductorError ? error.status : error.statusCode) ?? 500;
      if (hasCode(error, "NotReady", "Forbidden"))
        return reply.code(status).send({ reason: error.code, message: error.message });
      const reason = status === 500 ? "Internal" : "BadRequest";
      if (status >= 500) context.logger.error({ err: error }, "an admission request failed");
      const message = status >= 500 ? "konductor failed; its log says why" : describeError(error);
      return reply.code(status).send({ reason, message });
    });
    app.post(PATH.mutate, { bodyLimit: ADMISSION_BODY_LIMIT_BYTES }, (request, reply) => {
      const admission = parseReview(request.body);
      const response = mutate(admission, context);
      const { kind, namespace, operation } = admission;
      const { allowed, status, warnings } = response;
      const isPatched = response.patch !== undefined;
      context.logger.info(
        { kind, namespace, operation, allowed, isPatched, reason: status?.message, warnings },
        "admission",
      );
      return reply.send(reviewOf(response));
    });
    done();
  };
}
