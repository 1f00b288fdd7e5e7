/** Answers that a caller gets before anything is asked of Kubernetes. */
import { fastify } from "fastify";
import { describe, expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Authenticate } from "../../../src/server/identity/identity.ts";
import { Refusal } from "../../../src/server/refusal.ts";
import { type ErrorCode, KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { PATH } from "../../../src/shared/names.ts";
import { memoryCache } from "./memory-cache.ts";
import { memoryCaches } from "./samples.ts";
import { unitGateApi } from "./unit-gate-api.ts";

const POD = { namespace: "a", name: "b", uid: "c", serviceAccount: "default" };
const WELL_FORMED = { lease: "report", token: 1, ttlMs: 15_000 };

function gateApiWith({ authenticate = async () => POD }: { authenticate?: Authenticate } = {}) {
  const log: string[] = [];
  const failing: KubeClient = new Proxy(Object.create(null), {
    get: () => () => Promise.reject(new KonductorError("Forbidden", "cannot get pod a/b: secret details")),
  });
  const { plugin } = unitGateApi({
    client: failing,
    caches: { ...memoryCaches(), pods: memoryCache<PodView>() },
    authenticate,
    verifySignature: authenticate,
    logger: createLogger({ destination: { write: (line) => void log.push(line) } }),
  });
  const app = fastify();
  app.register(plugin);
  async function post(url: string, payload: unknown, headers: Record<string, string> = {}) {
    const answer = await app.inject({
      method: "POST",
      url,
      headers: { authorization: "Bearer the-token", "content-type": "application/json", ...headers },
      payload: typeof payload === "string" ? payload : JSON.stringify(payload),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.json<Record<string, unknown>>(),
    };
  }
  return { post, log };
}

describe.each([PATH.acquire, PATH.renew, PATH.announce, PATH.release])("%s", (path) => {
  test.each<[string, unknown]>([
    ["text that is not JSON", "{"],
    ["nothing", ""],
    ["an array", []],
    ["no lease", {}],
    ["17 KiB", { ...WELL_FORMED, more: "x".repeat(17 * 1024) }],
    ["a poisoned prototype", '{"__proto__": {"lease": "report"}}'],
  ])("answers 400 to %s", async (_what, body) => {
    const { status, body: answer } = await gateApiWith().post(path, body);
    expect(status).toBe(400);
    expect(answer).toEqual({
      reason: "BadRequest",
      message: expect.any(String),
      serverTime: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test("answers 401 to a caller without a token, or with a refused token", async () => {
    const refusing = gateApiWith({
      authenticate: () => Promise.reject(new KonductorError("Unauthenticated", "no")),
    });
    for (const headers of [{ authorization: "" }, { authorization: "Basic abc" }, {}]) {
      const { status, body } = await refusing.post(path, WELL_FORMED, headers);
      expect([status, body["reason"]]).toEqual([401, "Unauthenticated"]);
    }
  });

  test("hides how the API server refused konductor, and keeps the token out of the log", async () => {
    const { post, log } = gateApiWith();
    const { status, headers, body } = await post(path, WELL_FORMED);
    expect([status, body["reason"], headers["retry-after"]]).toEqual([503, "NotReady", "1"]);
    expect(JSON.stringify(body)).not.toContain("secret details");
    expect(log.join("")).toContain("secret details");
    expect(log.join("")).not.toContain("the-token");
  });

  test.each<[ErrorCode | undefined, number, string]>([
    ["NotReady", 503, "NotReady"],
    [undefined, 500, "Internal"],
  ])("reports its own trouble as such: %s", async (code, status, reason) => {
    const authenticate = () =>
      Promise.reject(code ? new KonductorError(code, "inner") : new TypeError("inner"));
    const answer = await gateApiWith({ authenticate }).post(path, WELL_FORMED);
    expect([answer.status, answer.body["reason"]]).toEqual([status, reason]);
    expect(JSON.stringify(answer.body)).not.toContain("inner");
  });

  test.each<[string, Refusal, "close" | "keep-alive"]>([
    ["a replica that cannot work", new Refusal("NotReady", "no"), "close"],
    ["a replica's own failure", new Refusal("Internal", "no"), "close"],
    ["a full replica", new Refusal("TooManyRequests", "no", { elsewhere: true }), "close"],
    [
      "a caller that calls too often",
      new Refusal("TooManyRequests", "no", { elsewhere: false }),
      "keep-alive",
    ],
    ["a caller without permission", new Refusal("Forbidden", "no"), "keep-alive"],
  ])(
    "ends the connection if another replica may answer otherwise: %s",
    async (_what, refusal, connection) => {
      const answer = await gateApiWith({ authenticate: () => Promise.reject(refusal) }).post(
        path,
        WELL_FORMED,
      );
      expect([answer.status, answer.headers.connection]).toEqual([refusal.status, connection]);
      const said = refusal.code === "TooManyRequests" ? refusal.elsewhere : undefined;
      expect(answer.body["elsewhere"]).toBe(said);
    },
  );
});
