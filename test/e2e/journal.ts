/**
 * What workloads wrote about themselves: one line each time they do something, with the seconds since boot, which every container on
 * one machine reads from the same clock.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Entry {
  atMs: number;
  event: string;
  /** The pod's name. */
  by: string;
}

/** From the first to the last sign of life of one main process. */
export interface Run {
  by: string;
  fromMs: number;
  toMs: number;
  /** Whether it said that it ended. */
  ended: boolean;
}

export interface Journal {
  /** The folder that workloads mount at the same path. */
  readonly dir: string;
  readonly path: string;
  entries(): Promise<Entry[]>;
  runs(): Promise<Run[]>;
}

export function openJournal(dir: string, lease: string): Journal {
  const path = join(dir, lease);
  const entries = async () => parse(await readFile(path, "utf8").catch(() => ""));
  return { dir, path, entries, runs: async () => runsOf(await entries()) };
}

function parse(text: string): Entry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [uptimeSeconds, event = "", by = ""] = line.split(" ");
      return { atMs: Number(uptimeSeconds) * 1_000, event, by };
    });
}

function runsOf(entries: readonly Entry[]): Run[] {
  const runs: Run[] = [];
  const current = new Map<string, Run>();
  for (const { atMs, event, by } of entries) {
    let run = current.get(by);
    if (event === "start" || !run) {
      run = { by, fromMs: atMs, toMs: atMs, ended: false };
      runs.push(run);
      current.set(by, run);
    }
    run.toMs = Math.max(run.toMs, atMs);
    if (event === "end") run.ended = true;
  }
  return runs;
}

/** Pairs of runs that were alive at the same time. Signs of life come each 100 ms, so a shorter overlap can hide. */
export function overlaps(runs: readonly Run[]): [Run, Run][] {
  const sorted = runs.toSorted((a, b) => a.fromMs - b.fromMs);
  const found: [Run, Run][] = [];
  let latest: Run | undefined;
  for (const run of sorted) {
    if (latest && run.fromMs < latest.toMs) found.push([latest, run]);
    if (!latest || run.toMs > latest.toMs) latest = run;
  }
  return found;
}

/** The shell function `j EVENT`: one short append, which the kernel does not interleave with another. */
export function journalFunction(path: string): string {
  return `j() { read -r t _ < /proc/uptime; echo "$t $1 $HOSTNAME" >> ${path}; }`;
}
