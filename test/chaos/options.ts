import { parseArgs } from "node:util";

export interface Options {
  seed: number;
  seconds: number;
  /** false: nothing is labelled, and the checker must find that out. */
  guard: boolean;
  /** Whether to keep the evidence of a run without violations, too. */
  keep: boolean;
}

const DEFAULT_SECONDS = 60;
const SEEDS = 2 ** 32;

/** Reads `--seed` and `--seconds`, or `SEED`, `SECONDS`, `GUARD` and `KEEP`. Draws a seed if none is given. Throws on any other value. */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  random: () => number,
): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { seed: { type: "string" }, seconds: { type: "string" } },
  });
  return {
    seed: wholeNumber("SEED", values.seed ?? env["SEED"]) ?? Math.floor(random() * SEEDS),
    seconds: wholeNumber("SECONDS", values.seconds ?? env["SECONDS"]) ?? DEFAULT_SECONDS,
    guard: onOrOff("GUARD", env["GUARD"] || "on"),
    keep: onOrOff("KEEP", env["KEEP"] || "off"),
  };
}

function onOrOff(name: string, value: string): boolean {
  if (value !== "on" && value !== "off")
    throw new Error(`${name}=${value} is not known: it may be on or off`);
  return value === "on";
}

function wholeNumber(name: string, value: string | undefined): number | undefined {
  if (!value) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) >= SEEDS)
    throw new Error(`${name}=${value} is not known: it may be a whole number below ${SEEDS}`);
  return Number(value);
}
