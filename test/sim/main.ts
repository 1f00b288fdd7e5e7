/**
 * The simulation, by hand or for a night: `make sim STORIES=100000 SEED=1`. Prints each violation with the shortest story that still breaks
 * its rule and how to replay it, and finally the seeds and the numbers of stories and violations. Reports its progress on stderr every minute.
 * STORIES, SEED, KEEP (only these events of one story), TRACE=on (everything that happens in it) and MOST (how many violations are shortened
 * and printed) may also be flags. Exit codes: 0 for no violation, 1 for violations, 2 for an unknown option.
 */
import { describeError } from "../../src/shared/errors.ts";
import type { Noted } from "./history.ts";
import { type Options, readOptions } from "./options.ts";
import { drawStory, type Story, tell } from "./story.ts";

const PROGRESS_EVERY_MS = 60_000;

const print = (line: string) => void process.stdout.write(`${line}\n`);
const kindOf = (violation: string | undefined) => violation?.split(":")[0];

/** Removes events one by one as long as the same rule is broken. */
async function shorten(story: Story, rule: string): Promise<{ keep: number[]; violation: string }> {
  let keep = story.events.map((_, index) => index);
  let violation = "";
  for (const index of [...keep].reverse()) {
    const without = keep.filter((kept) => kept !== index);
    if (without.length === 0) continue;
    const told = await tell(only(story, without));
    const found = told.violations.find((sentence) => kindOf(sentence) === rule);
    if (found === undefined) continue;
    keep = without;
    violation = found;
  }
  return { keep, violation };
}

function only(story: Story, keep: readonly number[]): Story {
  return { ...story, events: story.events.filter((_, index) => keep.includes(index)) };
}

function trace(history: readonly Noted[]): void {
  const beganMs = history[0]?.atMs ?? 0;
  for (const { atMs, ...fact } of history)
    print(`${((atMs - beganMs) / 1_000).toFixed(3).padStart(9)} ${JSON.stringify(fact)}`);
}

async function main({ stories, seed: first, keep, isTraced, most }: Options): Promise<number> {
  const beganMs = performance.now();
  let saidMs = beganMs;
  let broken = 0;
  const rules = new Map<string, number>();
  for (let seed = first; seed < first + stories; seed++) {
    if (performance.now() - saidMs >= PROGRESS_EVERY_MS) {
      saidMs = performance.now();
      const minutes = Math.round((saidMs - beganMs) / 60_000);
      process.stderr.write(
        `after ${minutes} min: ${seed - first} of ${stories} stories, ${broken} with violations\n`,
      );
    }
    const drawn = drawStory(seed);
    const story = keep ? only(drawn, keep) : drawn;
    const told = await tell(story);
    if (isTraced) {
      for (const event of story.events) print(JSON.stringify(event));
      trace(told.world.history);
    }
    const [violation] = told.violations;
    if (violation === undefined) continue;
    broken++;
    const rule = kindOf(violation) ?? "";
    rules.set(rule, (rules.get(rule) ?? 0) + 1);
    if (broken > most) continue;
    const shortest = keep ? undefined : await shorten(story, rule);
    print(`seed ${seed}: ${shortest?.violation || violation}`);
    if (!shortest) continue;
    for (const { what, ...event } of only(story, shortest.keep).events)
      print(`  ${what} ${JSON.stringify(event)}`);
    print(`  replay: make sim STORIES=1 SEED=${seed} KEEP=${shortest.keep.join()} TRACE=on`);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  const { user, system } = process.cpuUsage();
  const cpuSeconds = (user + system) / 1e6;
  const byRule = [...rules].map(([rule, count]) => `${count} ${rule}`).join(", ");
  print(
    `seeds ${first} to ${first + stories - 1}: ${stories} ${stories === 1 ? "story" : "stories"} in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU), ${broken} with violations${byRule && ` (${byRule})`}`,
  );
  return broken > 0 ? 1 : 0;
}

function optionsOrSay(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return undefined;
  }
}

const options = optionsOrSay();
process.exitCode = options ? await main(options) : 2;
