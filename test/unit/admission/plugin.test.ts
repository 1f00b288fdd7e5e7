import { fastify } from "fastify";
import { describe, expect, it } from "vitest";
import { ADMISSION_BODY_LIMIT_BYTES, admissionPlugin } from "../../../src/server/admission/plugin.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import { contextWith, NAMESPACE, podWith } from "./fixtures.ts";

const REVIEW = {
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u1",
    kind: { group: "", version: "v1", kind: "Pod" },
    operation: "CREATE",
    namespace: NAMESPACE,
    userInfo: { username: "alice" },
    object: podWith(),
  },
};

const FAILING = contextWith({
  injection: () => {
    throw new Error("secret detail");
  },
});

async function post(payload: string, contentType = "application/json", context = contextWith()) {
  const app = fastify();
  await app.register(admissionPlugin(context, boundsFor(512 * 1024 * 1024)));
  const headers = { "content-type": contentType };
  const { statusCode, body } = await app.inject({
    method: "POST",
    url: "/admission/mutate",
    headers,
    payload,
  });
  await app.close();
  const answer: unknown = JSON.parse(body);
  return { statusCode, answer };
}

describe("POST /admission/mutate", () => {
  it("answers a review with a review", async () => {
    expect(await post(JSON.stringify(REVIEW))).toEqual({
      statusCode: 200,
      answer: {
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: { uid: "u1", allowed: true, patchType: "JSONPatch", patch: expect.any(String) },
      },
    });
  });

  // All of it would be logged.
  const withLong = (field: string) => {
    const long = "x".repeat(254);
    const [name = "", part] = field.split(".");
    const value = part === undefined ? long : { ...REVIEW.request.kind, [part]: long };
    return { ...REVIEW, request: { ...REVIEW.request, [name]: value } };
  };
  const without = (field: string) => ({ ...REVIEW, request: { ...REVIEW.request, [field]: undefined } });

  it.each<[string, unknown, string]>([
    ["a list", [], "it is not a JSON object"],
    ["null", null, "it is not a JSON object"],
    [
      "an older version",
      { ...REVIEW, apiVersion: "admission.k8s.io/v1beta1" },
      'apiVersion is "admission.k8s.io/v1beta1", not "admission.k8s.io/v1"',
    ],
    ["another kind", { ...REVIEW, kind: "Pod" }, 'kind is "Pod", not "AdmissionReview"'],
    ["an empty object", {}, 'apiVersion is missing, not "admission.k8s.io/v1"'],
    ["no request", { ...REVIEW, request: undefined }, "it has no request"],
    ["no uid", without("uid"), "request.uid is missing"],
    ["no operation", without("operation"), "request.operation is missing"],
    ["no kind", without("kind"), "request.kind is missing"],
    ["no user", without("userInfo"), "request.userInfo is missing"],
    ...["kind.kind", "kind.group", "operation", "namespace"].map((field): [string, unknown, string] => [
      `a long ${field}`,
      withLong(field),
      `request.${field} has more than 253 characters`,
    ]),
  ])("refuses %s with 400 and one sentence", async (_name, body, what) => {
    expect(await post(JSON.stringify(body))).toEqual({
      statusCode: 400,
      answer: {
        reason: "BadRequest",
        message: `the body is not an AdmissionReview of admission.k8s.io/v1: ${what}`,
      },
    });
  });

  it.each([
    ["a body that is not JSON", "{", "application/json", 400],
    ["an empty body", "", "application/json", 400],
    ["another content type", "a=b", "application/x-www-form-urlencoded", 415],
    ["10 MB", JSON.stringify({ ...REVIEW, padding: "x".repeat(10_000_000) }), "application/json", 413],
  ])("refuses %s", async (_name, payload, contentType, statusCode) => {
    const result = await post(payload, contentType);
    expect(result).toEqual({
      statusCode,
      answer: { reason: "BadRequest", message: expect.stringMatching(/\w+ \w+/) },
    });
  });

  it.each<[string, string, object, ReturnType<typeof contextWith>?]>([
    ["a pod that is injected", JSON.stringify(REVIEW), { kind: "Pod", verdict: "patched" }],
    [
      "a pod without our label",
      JSON.stringify({ ...REVIEW, request: { ...REVIEW.request, object: podWith({}, { labels: {} }) } }),
      { kind: "Pod", verdict: "allowed" },
    ],
    [
      "a pod that is refused",
      JSON.stringify({
        ...REVIEW,
        request: { ...REVIEW.request, object: podWith({ os: { name: "windows" } }) },
      }),
      { kind: "Pod", verdict: "denied" },
    ],
    [
      "a malformed pod",
      JSON.stringify({ ...REVIEW, request: { ...REVIEW.request, object: "none" } }),
      { kind: "Pod", verdict: "denied" },
    ],
    [
      "a kind that is not ours",
      JSON.stringify({ ...REVIEW, request: { ...REVIEW.request, kind: { kind: "made-up" } } }),
      { kind: undefined, verdict: "allowed" },
    ],
    ["a pod that it failed to judge", JSON.stringify(REVIEW), { kind: "Pod", verdict: "error" }, FAILING],
    ["no review", "{}", { kind: undefined, verdict: "error" }],
    ["no JSON", "{", { kind: undefined, verdict: "error" }],
  ])("tells how and when it answered %s", async (_name, payload, answer, context = contextWith()) => {
    const told: unknown[] = [];
    const app = fastify();
    const options = { ...boundsFor(512 * 1024 * 1024), onAnswered: (each: unknown) => told.push(each) };
    await app.register(admissionPlugin(context, options));
    const headers = { "content-type": "application/json" };
    await app.inject({ method: "POST", url: "/admission/mutate", headers, payload });
    await app.close();
    expect(told).toEqual([{ ...answer, tookMs: expect.any(Number) }]);
  });

  it("accepts the largest pod that an API server passes on", async () => {
    const annotations = { "example.org/large": "x".repeat(3 * 1024 * 1024) };
    const request = { ...REVIEW.request, object: podWith({}, { ...podWith().metadata, annotations }) };
    const payload = JSON.stringify({ ...REVIEW, request });
    expect(payload.length).toBeLessThan(ADMISSION_BODY_LIMIT_BYTES);
    expect(await post(payload)).toMatchObject({ statusCode: 200, answer: { response: { allowed: true } } });
  });

  it("serves others between two long reviews, and drops a review whose sender has gone", async () => {
    const rests: { ms: number; end: () => void }[] = [];
    let areShort = false;
    let nowMs = 0;
    const clock = {
      nowMs: () => nowMs,
      // Everything that is measured takes 50 ms.
      monotonicMs: () => (nowMs += 50),
      after(ms: number, end: () => void) {
        if (areShort) end();
        else rests.push({ ms, end });
        return () => {};
      },
    };
    const app = fastify();
    await app.register(admissionPlugin(contextWith({ clock }), boundsFor(512 * 1024 * 1024)));
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const answered: string[] = [];
    async function send(uid: string, padding: number, signal: AbortSignal | null = null): Promise<void> {
      const annotations = { "example.org/padding": "x".repeat(padding) };
      const object = podWith({}, { ...podWith().metadata, annotations });
      const body = JSON.stringify({ ...REVIEW, request: { ...REVIEW.request, uid, object } });
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${url}/admission/mutate`, { method: "POST", headers, body, signal });
      answered.push(`${uid}: ${answer.status}`);
    }
    const LONG = 100 * 1024;
    await send("first", LONG);
    expect(rests.map(({ ms }) => ms)).toEqual([150]);
    const hangUp = new AbortController();
    const gone = send("gone", LONG, hangUp.signal);
    const second = send("second", LONG);
    await send("short", 10);
    expect(answered).toEqual(["first: 200", "short: 200"]);
    hangUp.abort();
    await expect(gone).rejects.toThrow();
    areShort = true;
    rests[0]?.end();
    await second;
    expect(answered).toEqual(["first: 200", "short: 200", "second: 200"]);
    await app.close();
  });

  it("hides internal details when it fails", async () => {
    expect(await post(JSON.stringify(REVIEW), "application/json", FAILING)).toEqual({
      statusCode: 500,
      answer: { reason: "Internal", message: "konductor failed; its log says why" },
    });
  });
});
