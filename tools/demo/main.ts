/**
 * `make demo` (`npm run demo`): the examples on a real cluster, with a timeline.
 * CLUSTER=kubelet|process|current chooses the cluster, GUARD=off takes the label off the examples, RECORD=FILE writes the output as an SVG.
 * Exit codes: 0 no two runs of one klease overlapped, 1 they did or the demo cannot tell, 130 ended by a signal.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { packageVersion } from "../build.ts";
import { INTERRUPTED, runUntilSignalled } from "../signals.ts";
import { enterCurrentCluster } from "./current-cluster.ts";
import { runDemo } from "./demo.ts";
import { readExercises } from "./exercise.ts";
import { type ClusterChoice, readOptions } from "./options.ts";
import { startOwnCluster } from "./own-cluster.ts";
import { DEMO_NAMESPACE, type Place } from "./place.ts";
import { toSvg } from "./recording.ts";

const root = join(import.meta.dirname, "../..");
const { stdin, stdout, stderr } = process;
/** Long enough for a starting cluster to notice the signal, or to finish its start and then stop in order. */
const START_ENDS_WITHIN_MS = 20_000;

async function enter(cluster: ClusterChoice, signal: AbortSignal): Promise<Place | undefined> {
  if (cluster !== "current") return startOwnCluster(cluster, { env: process.env, stream: stderr });
  if (!stdin.isTTY)
    throw new Error("CLUSTER=current asks before it touches the cluster, and there is no terminal to ask on");
  const version = await packageVersion(root);
  return enterCurrentCluster({
    root,
    version,
    write: (text) => stdout.write(text),
    confirm: (question) => confirm(question, signal),
  });
}

/** Ctrl-C answers no, and also interrupts the demo. */
async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const reader = createInterface({ input: stdin, output: stdout });
  reader.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return /^y(es)?$/i.test((await reader.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    reader.close();
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const { cluster, guard, record } = readOptions(
    process.env,
    process.platform === "linux" && process.getuid?.() === 0,
  );
  const interrupted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  const entering = enter(cluster, signal);
  await Promise.race([entering, interrupted]);
  // A cluster cannot be stopped in order during its start; its reaper ends what is left.
  if (signal.aborted)
    await Promise.race([entering, sleep(START_ENDS_WITHIN_MS).then(() => process.exit(INTERRUPTED))]);
  const place = await entering;
  if (!place) return signal.aborted ? INTERRUPTED : 1;
  try {
    signal.throwIfAborted();
    const namespace = DEMO_NAMESPACE;
    const exercises = await readExercises(join(root, "examples"), { namespace, guard, image: place.image });
    const colours = record !== undefined || (stdout.isTTY && stdout.hasColors());
    const shown: string[] = [];
    function write(text: string): void {
      shown.push(text);
      stdout.write(text);
    }
    const isWell = await runDemo({ place, exercises, guard, out: { write }, colours }, signal);
    if (record !== undefined) await writeFile(record, toSvg(shown.join(""), "make demo"));
    return isWell ? 0 : 1;
  } finally {
    await place.leave();
  }
}

await runUntilSignalled(process, main);
