/**
 * Which requests the dashboard's local server answers at all. The page has the rights of whoever started koncli, and every other page of the same
 * browser, and every other user of the same machine, can send requests to a port of the loopback. So whatever is not expected is refused:
 *
 * - a Host that is not the server's own address (DNS rebinding);
 * - a request that by its Origin or Sec-Fetch-Site comes from another page, or leads from one here;
 * - below /api/, a request without the session's token. A browser never sends it by itself: it stands in the fragment of the page's address.
 *
 * No answer has CORS headers. Pure.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { PATHS } from "./wire.ts";

export interface Guard {
  /** Of the server. */
  port: number;
  token: string;
}

export interface Asked {
  method: string;
  /** Without its query. */
  path: string;
  headers: IncomingHttpHeaders;
}

export interface Refused {
  /** HTTP status. */
  status: number;
  message: string;
}

const API = "/api/";
const METHOD_OF: Readonly<Record<string, "GET" | "POST">> = {
  [PATHS.stream]: "GET",
  [PATHS.story]: "GET",
  [PATHS.preview]: "GET",
  [PATHS.release]: "POST",
};
const JSON_TYPE = /^application\/json\s*(;|$)/i;
const BEARER = /^Bearer (\S+)$/i;
/** The port that browsers leave out. */
const DEFAULT_PORT = 80;

/** Why the request is refused; undefined: it may be answered. */
export function refusalOf({ method, path, headers }: Asked, { port, token }: Guard): Refused | undefined {
  const { host = "", origin } = headers;
  const site = headers["sec-fetch-site"];
  const suffix = port === DEFAULT_PORT ? "" : `:${port}`;
  if (!["127.0.0.1", "localhost", "[::1]"].some((name) => host === `${name}${suffix}`))
    return {
      status: 421,
      message: "this server answers under its own address only: open the one that koncli has printed",
    };
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, message: "another page may not send requests to the dashboard" };
  if (site !== undefined && site !== "same-origin" && (site !== "none" || isApi(path)))
    return {
      status: 403,
      message: "another page may not lead here: open the address that koncli has printed",
    };
  if (!isApi(path)) return method === "GET" ? undefined : notAllowed("GET");
  const wanted = METHOD_OF[path];
  if (!isToken(headers.authorization, token))
    return {
      status: 401,
      message: "the token is missing or wrong: open the address that koncli has printed",
    };
  if (wanted === undefined) return { status: 404, message: "there is nothing under this address" };
  if (method !== wanted) return notAllowed(wanted);
  if (method === "POST" && !JSON_TYPE.test(headers["content-type"] ?? ""))
    return { status: 415, message: "only application/json is allowed" };
  return undefined;
}

function isApi(path: string): boolean {
  return path.startsWith(API);
}

function notAllowed(wanted: string): Refused {
  return { status: 405, message: `only ${wanted} is allowed here` };
}

/** Digests of the same length are compared, so that the time tells nothing of the token. */
function isToken(authorization: string | undefined, token: string): boolean {
  const [, sent = ""] = BEARER.exec(authorization ?? "") ?? [];
  return timingSafeEqual(digest(sent), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
