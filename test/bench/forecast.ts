/**
 * How often the forecast's range held what came: histories are replayed hold by hold, each time with only what was known then. Half of the looks come
 * at a moment within the present hold. The range promises 80 %.
 * usage: [HISTORIES=FOLDER] npm run bench:forecast   FOLDER: real histories, see histories.ts; default: those that were measured of this project
 */
import { join } from "node:path";
import { forecastQueue } from "../../src/lease/forecast.ts";
import { type History, readHistories } from "./histories.ts";

/** Of each history, the latest. */
const HOLDS = 2_000;
/** With fewer, the farthest place was looked at too few times. */
const FEWEST_HOLDS = 50;
/** As many as a Lease keeps. */
const KEPT = 64;
const PLACES = [1, 2, 5, 20] as const;

const NAME_WIDTH = 33;

type Random = () => number;

/** A normal number (Box-Muller). */
const normal = (random: Random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const MEASURED = join(import.meta.dirname, "histories");
const GENERATED: Readonly<Record<string, (random: Random) => (index: number) => number>> = {
  "backup, 10 min, steady": (random) => () => 600 + 30 * normal(random),
  "migration, log-normal": (random) => () => Math.exp(4 + 0.8 * normal(random)),
  "heavy tail (Pareto 1.5)": (random) => () => 20 / (1 - random()) ** (1 / 1.5),
  "two kinds: nothing to do, or all": (random) => () =>
    (random() < 0.7 ? 5 : 900) * (1 + 0.1 * normal(random)),
  "like the one before, 0.5": alike(0.5),
  "like the one before, 0.8": alike(0.8),
  "like the one before, 0.95": alike(0.95),
  "other work after some 50 holds": (random) => {
    let usual = 4;
    return () => {
      if (random() < 0.02) usual = 4 + 0.7 * normal(random);
      return Math.exp(usual + 0.3 * normal(random));
    };
  },
  "grows by 0.1 % each time": (random) => (index) => 60 * 1.001 ** index * (1 + 0.2 * normal(random)),
  "slower by day than by night": (random) => (index) =>
    (300 + 200 * Math.sin(index / 40)) * (1 + 0.1 * normal(random)),
};

/** Log-normal holds, each correlated by so much with the one before it (a first-order autoregression). */
function alike(correlation: number) {
  return (random: Random) => {
    let last = normal(random);
    return () => {
      last = correlation * last + Math.sqrt(1 - correlation ** 2) * normal(random);
      return Math.exp(4 + 0.8 * last);
    };
  };
}

const noCounts = () => PLACES.map((place) => ({ place, held: 0, open: 0, known: 0, widths: [] as number[] }));

function replay(durations: readonly number[], random: Random, counts: ReturnType<typeof noCounts>): void {
  for (let now = 0; now + Math.max(...PLACES) < durations.length; now++) {
    const past = durations.slice(Math.max(0, now - KEPT), now).toReversed();
    const present = durations[now] ?? 0;
    const heldFor = random() < 0.5 ? 0 : random() * present;
    const ranges = forecastQueue({ durations: past, heldFor }, Math.max(...PLACES));
    for (const count of counts) {
      const range = ranges[count.place - 1];
      const came = durations.slice(now, now + count.place).reduce((sum, each) => sum + each, 0) - heldFor;
      if (!range) continue;
      count.known++;
      if (range.latest === undefined) count.open++;
      else count.widths.push((range.latest - range.earliest) / came);
      if (range.earliest <= came && came <= (range.latest ?? Number.POSITIVE_INFINITY)) count.held++;
    }
  }
}

function report(name: string, histories: readonly History[], random: Random): void {
  const counts = noCounts();
  const latest = histories.map(({ seconds }) => seconds.slice(-HOLDS));
  for (const durations of latest) replay(durations, random, counts);
  const cells = counts.map(({ held, open, known, widths }) => {
    const width = widths.toSorted((a, b) => a - b)[Math.floor(widths.length / 2)] ?? Number.NaN;
    return `${percent(held / known)} (open ${percent(open / known)}, width ${width.toFixed(2)})`;
  });
  row([name.padEnd(NAME_WIDTH), String(latest.flat().length), ...cells]);
}

const row = (cells: readonly string[]) => process.stdout.write(`| ${cells.join(" | ")} |\n`);

/** Those of `dir`, without those that are too short to tell anything, which are named. */
async function realHistories(dir: string): Promise<History[]> {
  const found = await readHistories(dir);
  const isShort = ({ seconds }: History) => seconds.length < FEWEST_HOLDS;
  for (const { name, seconds } of found.filter(isShort))
    process.stdout.write(`left out: ${name} has ${seconds.length} holds, fewer than ${FEWEST_HOLDS}\n`);
  if (found.every(isShort)) process.stdout.write(`${dir} has no history of ${FEWEST_HOLDS} holds\n`);
  return found.filter((history) => !isShort(history));
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
const generated = Object.entries(GENERATED).map(([name, generator]) => {
  const duration = generator(random);
  return { name, seconds: Array.from({ length: HOLDS }, (_, index) => Math.max(1, duration(index))) };
});
const real = await realHistories(process.env["HISTORIES"] || MEASURED);

process.stdout.write(
  "How many waits came within the range that was told, which promises 80 %. open: of these ranges, those without an end; " +
    "width: of the others, the median, in parts of the wait that came.\n\n",
);
row(["history".padEnd(NAME_WIDTH), "holds", ...PLACES.map((place) => `place ${place}`)]);
row(["---", "---:", ...PLACES.map(() => "---")]);
for (const history of [...real, ...generated]) report(history.name, [history], random);
if (real.length > 1) report("all real ones", real, random);
