/**
 * Durations as Go's time.ParseDuration reads them and kubectl users write them ("1h30m", "1.5h", "300ms"): API fields and
 * annotations alike. Source: time.ParseDuration and Duration.String in Go's standard library.
 */
import { KonductorError } from "../shared/errors.ts";

/** The limit of the API's fields, and more than anybody writes. The cost of parsing grows faster than the text. */
const LONGEST = 64;

const MS_NS = 1_000_000n;

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n, // the micro sign
  "\u03bcs": 1_000n, // the Greek letter mu
  ms: MS_NS,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Go counts in int64 nanoseconds: about 292 years. */
const LARGEST_NS = 2n ** 63n - 1n;

const WHOLE = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/u;
const PART = /(\d*)\.?(\d*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/gu;

/**
 * A Go duration in milliseconds, with a fraction if it has one; negative for "-1s".
 * @throws KonductorError `Invalid`, one sentence, for anything that Go refuses, or that is longer than 64 characters.
 */
export function parseDuration(text: string): number {
  const ns = text.length > LONGEST ? undefined : nanoseconds(text);
  if (ns === undefined) {
    throw new KonductorError(
      "Invalid",
      `${JSON.stringify(text.slice(0, LONGEST))} is not a Go duration such as "10m" or "1h30m"`,
    );
  }
  return Number(ns / MS_NS) + Number(ns % MS_NS) / 1e6;
}

/** `ms` as a user would have written it: "10m", "1h30m", "15s", "1.5s", "300ms", "0s". `parseDuration` reads it back. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? "-" : "";
  const size = Math.abs(ms);
  if (size < 1e-6) return "0s";
  if (size < 1e-3) return `${sign}${rounded(size * 1e6)}ns`;
  if (size < 1) return `${sign}${rounded(size * 1e3)}\u00b5s`;
  if (size < 1e3) return `${sign}${rounded(size)}ms`;
  const parts = {
    h: Math.floor(size / 3.6e6),
    m: Math.floor((size % 3.6e6) / 6e4),
    s: rounded((size % 6e4) / 1e3),
  };
  return (
    sign +
    Object.entries(parts)
      .map(([unit, count]) => (count > 0 ? `${count}${unit}` : ""))
      .join("")
  );
}

/** Without the tail that binary fractions leave behind. */
function rounded(value: number): number {
  return Number(value.toFixed(6));
}

function nanoseconds(text: string): bigint | undefined {
  if (/^[+-]?0$/.test(text)) return 0n;
  if (!WHOLE.test(text)) return undefined;
  let sum = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(PART)) {
    const unitNs = UNIT_NS[unit] ?? 0n;
    sum +=
      BigInt(whole || "0") * unitNs + (BigInt(fraction || "0") * unitNs) / 10n ** BigInt(fraction.length);
  }
  if (text.startsWith("-")) return sum <= LARGEST_NS + 1n ? -sum : undefined;
  return sum <= LARGEST_NS ? sum : undefined;
}
