/**
 * How often the forecast's range held what came: histories are replayed hold by hold, each time with only what was known then. Half of the looks come
 * at a moment within the present hold. The range promises 80 %.
 * usage: npm run bench:forecast -- [FILE]   FILE: durations of real holds in seconds, one in a line, the oldest first
 */
import { readFile } from "node:fs/promises";
import { forecastQueue } from "../../src/lease/forecast.ts";

const HOLDS = 2_000;
/** As many as a Lease keeps. */
const KEPT = 64;
const PLACES = [1, 2, 5, 20] as const;

type Random = () => number;

/** A normal number (Box-Muller). */
const normal = (random: Random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const HISTORIES: Readonly<Record<string, (random: Random, index: number) => number>> = {
  "backup, 10 min, steady": (random) => 600 + 30 * normal(random),
  "migration, log-normal": (random) => Math.exp(4 + 0.8 * normal(random)),
  "heavy tail (Pareto 1.5)": (random) => 20 / (1 - random()) ** (1 / 1.5),
  "two kinds: nothing to do, or all": (random) => (random() < 0.7 ? 5 : 900) * (1 + 0.1 * normal(random)),
  "grows by 0.1 % each time": (random, index) => 60 * 1.001 ** index * (1 + 0.2 * normal(random)),
  "slower by day than by night": (random, index) =>
    (300 + 200 * Math.sin(index / 40)) * (1 + 0.1 * normal(random)),
};

function replay(durations: readonly number[], random: Random) {
  const counts = PLACES.map((place) => ({ place, held: 0, open: 0, unknown: 0, all: 0, width: 0 }));
  for (let now = 0; now + Math.max(...PLACES) < durations.length; now++) {
    const past = durations.slice(Math.max(0, now - KEPT), now).toReversed();
    const present = durations[now] ?? 0;
    const heldFor = random() < 0.5 ? 0 : random() * present;
    const ranges = forecastQueue({ durations: past, heldFor }, Math.max(...PLACES));
    for (const count of counts) {
      const range = ranges[count.place - 1];
      const came = durations.slice(now, now + count.place).reduce((sum, each) => sum + each, 0) - heldFor;
      count.all++;
      if (!range) {
        count.unknown++;
        continue;
      }
      if (range.latest === undefined) count.open++;
      else count.width += (range.latest - range.earliest) / came;
      if (range.earliest <= came && came <= (range.latest ?? Number.POSITIVE_INFINITY)) count.held++;
    }
  }
  return counts;
}

function report(name: string, durations: readonly number[], random: Random): void {
  const cells = replay(durations, random).map(({ held, open, unknown, all, width }) => {
    const known = all - unknown;
    return `${percent(held / known)} (open ${percent(open / known)}, width ${(width / (known - open)).toFixed(1)})`;
  });
  process.stdout.write(`| ${[name.padEnd(33), ...cells].join(" | ")} |\n`);
}

const percent = (share: number) => `${Math.round(100 * share)} %`;

/** The same in each run (a linear congruential generator, Numerical Recipes). */
function createRandom(): Random {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

const random = createRandom();
process.stdout.write(
  `| ${["history".padEnd(33), ...PLACES.map((place) => `place ${place}`)].join(" | ")} |\n`,
);
process.stdout.write(`| --- |${PLACES.map(() => " --- |").join("")}\n`);
const [path] = process.argv.slice(2);
if (path === undefined)
  for (const [name, duration] of Object.entries(HISTORIES))
    report(
      name,
      Array.from({ length: HOLDS }, (_, index) => Math.max(1, duration(random, index))),
      random,
    );
else {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line.trim() !== "");
  report(path, lines.map(Number), random);
}
