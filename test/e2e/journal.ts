/**
 * Journals of workloads: one line for each thing that a workload does, with the seconds since boot. Every container on a machine reads the same
 * clock.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { defined } from "../../src/shared/json.ts";

export interface Entry {
  atMs: number;
  event: string;
  /** The pod's name. */
  by: string;
  /** The fencing token under which main ran, if it was given a way to read it. */
  token?: number;
}

/** From the first to the last sign of life of one main process. */
export interface Run {
  by: string;
  token?: number;
  fromMs: number;
  toMs: number;
  /** Whether main recorded its end. */
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
      const [uptimeSeconds, event = "", by = "", token] = line.split(" ");
      return {
        atMs: Number(uptimeSeconds) * 1_000,
        event,
        by,
        ...defined({ token: token ? Number(token) : undefined }),
      };
    });
}

function runsOf(entries: readonly Entry[]): Run[] {
  const runs: Run[] = [];
  const current = new Map<string, Run>();
  for (const { atMs, event, by, token } of entries) {
    // A pod may run again under another hold: its two mains must be told apart.
    const key = `${by} ${token}`;
    let run = current.get(key);
    if (event === "start" || !run) {
      run = { by, fromMs: atMs, toMs: atMs, ended: false, ...defined({ token }) };
      runs.push(run);
      current.set(key, run);
    }
    run.toMs = Math.max(run.toMs, atMs);
    if (event === "end") run.ended = true;
  }
  return runs;
}

/** Pairs of runs that were alive at the same time. Signs of life come every 100 ms, so a shorter overlap can stay hidden. */
export function overlaps<T extends Run>(runs: readonly T[]): [T, T][] {
  const sorted = runs.toSorted((a, b) => a.fromMs - b.fromMs);
  const found: [T, T][] = [];
  let latest: T | undefined;
  for (const run of sorted) {
    if (latest && run.fromMs < latest.toMs) found.push([latest, run]);
    if (!latest || run.toMs > latest.toMs) latest = run;
  }
  return found;
}

/** The shell function `j EVENT`: one short append, which the kernel does not interleave with another. Appends `$token`, too, if that is set. */
export function journalFunction(path: string): string {
  return `j() { read -r t _ < /proc/uptime; echo "$t $1 $HOSTNAME\${token:+ $token}" >> ${path}; }`;
}

/**
 * The shell function `nap`: 100 ms, which a trap ends. Where the shell can wait by itself, it starts no process: a suite's mains would start 200 of
 * them a second.
 */
export function napFunction(path: string): string {
  const silent = `${path}.$HOSTNAME.silent`;
  return [
    `[ -p ${silent} ] || mkfifo ${silent}`,
    `exec 9<> ${silent}`,
    "if read -t 0.01 _ <&9 2>/dev/null; [ $? = 2 ]; then nap() { sleep 0.1 & wait $!; }",
    "else nap() { read -t 0.1 _ <&9; }; fi",
  ].join("\n");
}
