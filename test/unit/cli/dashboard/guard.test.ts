/** Which requests the dashboard's local server answers: everything that is not expected is refused. */
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, test } from "vitest";
import { refusalOf } from "../../../../src/cli/dashboard/guard.ts";
import { PATHS } from "../../../../src/cli/dashboard/wire.ts";

const GUARD = { port: 8090, token: "right" };
const HOST = "127.0.0.1:8090";
const TOKEN = { host: HOST, authorization: "Bearer right" };

const statusOf = (method: string, path: string, headers: IncomingHttpHeaders, port = GUARD.port) =>
  refusalOf({ method, path, headers }, { ...GUARD, port })?.status;

describe("the address", () => {
  test.each([HOST, "localhost:8090", "[::1]:8090"])("%s is the server's own", (host) => {
    expect(statusOf("GET", "/", { host })).toBeUndefined();
    expect(statusOf("GET", PATHS.stream, { ...TOKEN, host })).toBeUndefined();
  });

  test.each([
    "evil.example:8090",
    "127.0.0.1",
    "127.0.0.1:8091",
    "localhost",
    "127.0.0.1:8090.evil.example",
    "user@127.0.0.1:8090",
    "0.0.0.0:8090",
    "",
  ])("%j is not, whatever the token (DNS rebinding)", (host) => {
    expect(statusOf("GET", "/", { host })).toBe(421);
    expect(statusOf("GET", PATHS.stream, { ...TOKEN, host })).toBe(421);
  });

  test("a request without any is refused", () => {
    expect(statusOf("GET", PATHS.stream, { authorization: "Bearer right" })).toBe(421);
  });

  test("browsers leave port 80 out", () => {
    expect(statusOf("GET", "/", { host: "127.0.0.1" }, 80)).toBeUndefined();
  });
});

describe("another page", () => {
  test.each([
    "http://evil.example",
    "http://127.0.0.1:8091",
    "http://localhost:8090",
    `https://${HOST}`,
    "null",
  ])("a request of %s is refused, also with the token", (origin) => {
    for (const path of ["/", "/page.js", PATHS.stream])
      expect(statusOf("GET", path, { ...TOKEN, origin })).toBe(403);
    expect(statusOf("POST", PATHS.release, { ...TOKEN, origin, "content-type": "application/json" })).toBe(
      403,
    );
  });

  test.each(["cross-site", "same-site", "anything"])("Sec-Fetch-Site %s is refused", (site) => {
    for (const path of ["/", PATHS.stream])
      expect(statusOf("GET", path, { ...TOKEN, "sec-fetch-site": site })).toBe(403);
  });

  test("its own requests are answered, and the address that the user has typed", () => {
    const own = { ...TOKEN, origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };
    expect(statusOf("GET", PATHS.stream, own)).toBeUndefined();
    expect(statusOf("GET", "/", { host: HOST, "sec-fetch-site": "none" })).toBeUndefined();
    expect(statusOf("GET", PATHS.stream, { ...TOKEN, "sec-fetch-site": "none" })).toBe(403);
  });
});

describe("the token", () => {
  test.each([
    undefined,
    "",
    "right",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    "Bearer righ",
    "Bearer rightly",
    "Bearer RIGHT",
    "Basic right",
    "Bearer right right",
  ])("%j is refused for every call", (authorization) => {
    const headers = { host: HOST, ...(authorization !== undefined && { authorization }) };
    for (const [method, path] of [
      ["GET", PATHS.stream],
      ["GET", PATHS.story],
      ["GET", PATHS.preview],
      ["POST", PATHS.release],
      ["GET", "/api/"],
      ["GET", "/api/other"],
    ] as const)
      expect([path, statusOf(method, path, headers)]).toEqual([path, 401]);
  });

  test("the page itself needs none: it tells nothing", () => {
    expect(statusOf("GET", "/", { host: HOST })).toBeUndefined();
  });
});

describe("the method", () => {
  test.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])("%s is no way to read", (method) => {
    for (const path of ["/", "/page.js", PATHS.stream, PATHS.story, PATHS.preview])
      expect(statusOf(method, path, { ...TOKEN, "content-type": "application/json" })).toBe(405);
  });

  test.each(["GET", "PUT", "HEAD", "OPTIONS"])("%s is no way to release", (method) => {
    expect(statusOf(method, PATHS.release, TOKEN)).toBe(405);
  });

  test.each([
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
  ])("a body of type %j, as a form can send it, is refused", (type) => {
    expect(statusOf("POST", PATHS.release, { ...TOKEN, "content-type": type })).toBe(415);
  });

  test.each(["application/json", "application/json; charset=utf-8", "Application/JSON"])(
    "%j is answered",
    (type) => {
      expect(statusOf("POST", PATHS.release, { ...TOKEN, "content-type": type })).toBeUndefined();
    },
  );

  test("another path below /api/ is not found", () => {
    expect(statusOf("GET", "/api/other", TOKEN)).toBe(404);
  });
});
