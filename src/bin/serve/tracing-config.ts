import { KonductorError } from "../../shared/errors.ts";
import type { TracingConfig } from "../../tracing/tracing.ts";

const SHARE = /^(0|1|0?\.\d{1,15})$/;

/** Reads the flags of traces. Throws BadRequest. */
export function readTracing(endpoint: string | undefined, sampling: string): TracingConfig | undefined {
  if (!SHARE.test(sampling)) throw wrong("tracing-sampling", sampling, "a number from 0 to 1, such as 0.05");
  if (endpoint === undefined) return undefined;
  if (!isBase(endpoint))
    throw wrong("tracing-endpoint", endpoint, "an http or https URL such as http://otel-collector:4318");
  return { endpoint, ratio: Number(sampling) };
}

/** Without user and password, which would stand in logs and in the process list. */
function isBase(endpoint: string): boolean {
  const url = URL.parse(endpoint);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return false;
  return `${url.username}${url.password}${url.search}${url.hash}` === "";
}

function wrong(flag: string, value: string, allowed: string): KonductorError {
  return new KonductorError("BadRequest", `--${flag}: "${value}" is not allowed; use ${allowed}`);
}
