import type { FastifyError, FastifyInstance, FastifyPluginCallback, FastifyRequest } from "fastify";
import { describeError, hasCode, KonductorError } from "../../shared/errors.ts";
import { createFairShare } from "../../shared/fair-share.ts";
import { PATH } from "../../shared/names.ts";
import { boundBodies } from "../bounds/bounded-bodies.ts";
import type { Bounds } from "../bounds/bounds.ts";
import { createFairTurns, type FairTurns } from "../bounds/fair-turns.ts";
import { note, notesOn } from "../request-notes.ts";
import type { AdmissionContext } from "./admission-context.ts";
import { requireCertificate } from "./client-certificate.ts";
import { aboutReviewed } from "./log-about.ts";
import { judgedKind, mutate } from "./mutate.ts";
import { type AdmissionResponse, parseReview, reviewOf } from "./review.ts";
import type { TracedAdmission } from "./traced.ts";

/**
 * The longest AdmissionReview that is read. The API server takes requests of up to 3 MiB and stores about 1.5 MiB; an update
 * carries both versions.
 */
export const ADMISSION_BODY_LIMIT_BYTES = 5 * 1024 * 1024;

/** How one admission request was answered. `denied`: also an object that is malformed. `error`: not by a review. */
export interface AdmissionAnswer {
  /** Without its group; undefined: it is none that admission judges, or the request was not read. */
  kind: string | undefined;
  verdict: "allowed" | "patched" | "denied" | "error";
  /** From the head of the request to the end of the answer. */
  tookMs: number;
  /** It is a part of a trace. */
  traced?: TracedAdmission | undefined;
}

export interface AdmissionPluginOptions extends Pick<Bounds, "reviewBytes"> {
  /** Whether a caller without a client certificate is refused; the server must ask for one (askForCertificate). */
  needsCertificate?: boolean;
  /** Called once with every request. */
  onAnswered?: (answer: AdmissionAnswer) => void;
}

/** nginx's status for a client that has gone; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

/** A longer review is parsed, judged and answered in some milliseconds, in which nobody else is served. */
const LONG_BYTES = 64 * 1024;

/** Long reviews take turns: whoever sends many of them does not keep keepers from being answered. */
function takeTurns(app: FastifyInstance, turns: FairTurns): void {
  const parse = app.getDefaultJsonParser("error", "error");
  const endings = new WeakMap<FastifyRequest, () => void>();
  // As a buffer, which stays outside the heap until its turn comes.
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const parseNow = () => void parse(request, body.toString(), done);
    if (body.length <= LONG_BYTES) return parseNow();
    const { socket } = request.raw;
    const hasGone = new AbortController();
    let endTurn = () => {};
    function end(): void {
      socket.off("close", leave);
      endTurn();
    }
    function leave(): void {
      hasGone.abort(Object.assign(new Error("its sender has gone"), { statusCode: CLIENT_CLOSED_REQUEST }));
      end();
    }
    socket.once("close", leave);
    endings.set(request, end);
    turns.take(socket.remoteAddress ?? "", hasGone.signal).then((taken) => {
      endTurn = taken;
      parseNow();
    }, done);
  });
  app.addHook("onSend", (request, _reply, payload, done) => {
    endings.get(request)?.();
    done(null, payload);
  });
}

/**
 * Serves the mutating webhook at {@link PATH.mutate}; anything but an AdmissionReview is answered 400, one that is too long 413.
 * `reviewBytes`: limit of all reviews that are coming in, of which one peer may use half. Many API servers call at a time, with reviews of
 * a few KiB.
 */
export function admissionPlugin(
  context: AdmissionContext,
  { reviewBytes, needsCertificate = false, onAnswered }: AdmissionPluginOptions,
): FastifyPluginCallback {
  const budget = createFairShare(reviewBytes);
  const refuse = () => new KonductorError("NotReady", "too many long reviews are coming in; try again");
  const answers = new WeakMap<FastifyRequest, Omit<AdmissionAnswer, "tookMs">>();
  return (app, _options, done) => {
    app.addHook("onResponse", (request, { elapsedTime }, answered) => {
      const answer = answers.get(request) ?? { kind: undefined, verdict: "error" };
      onAnswered?.({ ...answer, tookMs: elapsedTime });
      answered();
    });
    if (needsCertificate) app.addHook("onRequest", requireCertificate);
    app.addHook("preParsing", boundBodies({ budget, refuse, until: "answered" }));
    takeTurns(app, createFairTurns(context.clock));
    app.setErrorHandler((error: FastifyError | KonductorError, request, reply) => {
      const status = (error instanceof KonductorError ? error.status : error.statusCode) ?? 500;
      if (hasCode(error, "NotReady", "Forbidden"))
        return reply.code(status).send({ reason: error.code, message: error.message });
      const reason = status === 500 ? "Internal" : "BadRequest";
      if (status >= 500)
        context.logger.error({ ...notesOn(request), err: error }, "an admission request failed");
      const message = status >= 500 ? "konductor failed; its log says why" : describeError(error);
      return reply.code(status).send({ reason, message });
    });
    app.post(PATH.mutate, { bodyLimit: ADMISSION_BODY_LIMIT_BYTES }, (request, reply) => {
      const admission = parseReview(request.body);
      const { kind, namespace, operation } = admission;
      note(request, aboutReviewed(admission));
      answers.set(request, { kind: judgedKind(kind), verdict: "error" });
      let traced: TracedAdmission | undefined;
      const response = mutate(admission, context, (told) => {
        traced = told;
      });
      const { allowed, status, warnings } = response;
      const isPatched = response.patch !== undefined;
      answers.set(request, { kind: judgedKind(kind), verdict: verdictOf(response), traced });
      context.logger.info(
        {
          ...notesOn(request),
          kind,
          namespace,
          operation,
          allowed,
          isPatched,
          reason: status?.message,
          warnings,
        },
        "admission",
      );
      return reply.send(reviewOf(response));
    });
    done();
  };
}

function verdictOf({ allowed, patch }: AdmissionResponse): AdmissionAnswer["verdict"] {
  if (!allowed) return "denied";
  return patch === undefined ? "allowed" : "patched";
}
