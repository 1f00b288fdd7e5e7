/**
 * Generated AdmissionReviews, by hand or for a night: `make reviews REVIEWS=100000 SEED=1`. Exits with 1 if a review is not answered
 * correctly, and prints the smallest such review. Exits with 2 on an unknown option.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { describeError } from "../../src/shared/errors.ts";
import { createChecker } from "./check.ts";
import { reviews } from "./generate.ts";

function readOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const options = { reviews: { type: "string" }, seed: { type: "string" } } as const;
  const { values } = parseArgs({ args: [...args], options, strict: true });
  const number = (name: "reviews" | "seed", otherwise: number) => {
    const value = Number(values[name] ?? env[name.toUpperCase()] ?? otherwise);
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} is a whole number`);
    return value;
  };
  return { numRuns: number("reviews", 10_000), seed: number("seed", 1) };
}

async function main(options: { numRuns: number; seed: number }): Promise<number> {
  const checker = createChecker();
  const counts = { damaged: 0, allowed: 0, refused: 0 };
  const property = fc.asyncProperty(reviews, async ({ review, isDamaged }) => {
    const { allowed } = await checker.check(review);
    if (isDamaged) counts.damaged++;
    counts[allowed ? "allowed" : "refused"]++;
  });
  const beganMs = performance.now();
  const { failed, counterexample, errorInstance } = await fc.check(property, options);
  await checker.close();
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
  if (failed) {
    process.stdout.write(`${describeError(errorInstance)}\n${JSON.stringify(counterexample?.[0].review)}\n`);
    return 1;
  }
  process.stdout.write(
    `${options.numRuns} reviews from seed ${options.seed} in ${seconds} s: ${counts.allowed} allowed, ${counts.refused} refused, ${counts.damaged} of all were damaged\n`,
  );
  return 0;
}

let options: ReturnType<typeof readOptions> | undefined;
try {
  options = readOptions(process.argv.slice(2), process.env);
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
}
process.exitCode = options ? await main(options) : 2;
