/** Checks that our admission answers a review correctly, whatever the review contains. Throws what is wrong. */
import jsonPatch from "fast-json-patch";
import { fastify } from "fastify";
import { admissionPlugin } from "../../src/server/admission/plugin.ts";
import { boundsFor } from "../../src/server/bounds/bounds.ts";
import { list, parseJson, record, text } from "../../src/shared/json.ts";
import { PATH } from "../../src/shared/names.ts";
import { newTraceParent } from "../../src/tracing/ids.ts";
import { contextWith } from "../unit/admission/fixtures.ts";

/** The longest refusal or warning. kubectl prints both, and Events store them. */
const LONGEST_SENTENCE = 2_001;
const GIB = 1024 ** 3;

export interface Answer {
  allowed: boolean;
  /** The object with the patch applied. */
  object: unknown;
}

export interface Checker {
  check(review: Review): Promise<Answer>;
  close(): Promise<void>;
}

export interface Review {
  [field: string]: unknown;
  request: { uid: string; object: unknown; [field: string]: unknown };
}

export function createChecker(): Checker {
  const app = fastify();
  // Traces are on, which adds an annotation: each of them another one, so that a second look that adds one is seen.
  const context = contextWith({ newTraceParent: () => newTraceParent(1) });
  app.register(admissionPlugin(context, boundsFor(GIB)));

  async function answer(review: Review): Promise<Answer & { isPatched: boolean }> {
    const { statusCode, body } = await app.inject({ method: "POST", url: PATH.mutate, payload: review });
    if (statusCode !== 200) throw new Error(`answered ${statusCode}: ${body}`);
    const response = record(record(parseJson(body))["response"]);
    const { uid, allowed, patch, status, warnings } = response;
    if (uid !== review.request.uid || typeof allowed !== "boolean")
      throw new Error(`no answer to it: ${body}`);
    const message = text(record(status)["message"]) ?? "";
    if (!allowed && message === "") throw new Error(`refused without a reason: ${body}`);
    for (const sentence of [message, ...list(warnings)].flatMap((line) => text(line) ?? []))
      if (sentence.length > LONGEST_SENTENCE)
        throw new Error(`says ${sentence.length} characters: ${sentence}`);
    if (!allowed && patch !== undefined) throw new Error(`refused, and patched: ${body}`);
    const object = patched(review.request.object, patch);
    return { allowed, object, isPatched: patch !== undefined };
  }

  return {
    async check(review) {
      const first = await answer(review);
      if (!first.isPatched) return first;
      // The API server asks again when another webhook has changed the object.
      const again = await answer({ ...review, request: { ...review.request, object: first.object } });
      if (!again.allowed || again.isPatched)
        throw new Error(
          `a second look ${again.allowed ? "changes it again" : "refuses it"}: ${JSON.stringify(again.object)}`,
        );
      return first;
    },
    close: () => app.close(),
  };
}

function patched(object: unknown, patch: unknown): unknown {
  const encoded = text(patch);
  if (encoded === undefined) return object;
  const operations = list(parseJson(Buffer.from(encoded, "base64").toString()));
  return jsonPatch.applyPatch(structuredClone(object), operations as jsonPatch.Operation[], true).newDocument;
}
