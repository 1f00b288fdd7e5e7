import { parseArgs } from "node:util";
import { describeError } from "../../src/shared/errors.ts";

export interface Options {
  stories: number;
  /** The seed of the first story. Each further story has the next seed. */
  seed: number;
  /** The only events to keep of the one story. */
  keep: readonly number[] | undefined;
  /** Whether everything that happens is printed. */
  isTraced: boolean;
  /** How many violations are shortened and printed. */
  most: number;
}

const SEEDS = 2 ** 32;

/**
 * Reads `--stories`, `--seed`, `--keep`, `--trace` and `--most`, or `STORIES`, `SEED`, `KEEP`, `TRACE` and `MOST`. Throws a sentence for
 * people on anything else.
 */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options {
  const given = flagsOf(args);
  const wished = (name: keyof typeof given) => given[name] ?? (env[name.toUpperCase()] || undefined);
  const keep = wished("keep");
  const options: Options = {
    stories: wholeNumber("STORIES", wished("stories")) ?? 1_000,
    seed: wholeNumber("SEED", wished("seed")) ?? 1,
    keep: keep?.split(",").map((index) => wholeNumber("KEEP", index) ?? 0),
    isTraced: onOrOff("TRACE", wished("trace") ?? "off"),
    most: wholeNumber("MOST", wished("most")) ?? 10,
  };
  if (options.stories < 1) throw new Error("STORIES=0 tells no story: it may be 1 or more");
  if (keep !== undefined && options.stories !== 1)
    throw new Error(`KEEP=${keep} names events of one story: say STORIES=1 as well`);
  return options;
}

function flagsOf(args: readonly string[]) {
  const value = { type: "string" } as const;
  const options = { stories: value, seed: value, keep: value, trace: value, most: value };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new Error(`${describeError(error)}; known are --${Object.keys(options).join(", --")}`);
  }
}

function onOrOff(name: string, value: string): boolean {
  if (value !== "on" && value !== "off")
    throw new Error(`${name}=${value} is not known: it may be on or off`);
  return value === "on";
}

function wholeNumber(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) >= SEEDS)
    throw new Error(`${name}=${value} is not known: it may be a whole number below ${SEEDS}`);
  return Number(value);
}
