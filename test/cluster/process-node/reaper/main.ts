/**
 * Ends the processes of a process node when its owner has ended for whatever reason. The owner holds the other end of our stdin, and writes `+ PGID`
 * and `- PGID` as process groups come and go. A process group that the owner had no time to announce, or a process that left its group, is found by
 * its working folder. The reaper has a session of its own, so that Ctrl-C does not reach it. Usage: main.ts DIR
 */
import { readdir, readlink } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { killGroup, killProcess } from "../process-group.ts";

const SWEEP_EVERY_MS = 20;

const [dir = ""] = process.argv.slice(2);
const groups = new Set<number>();
for await (const line of createInterface({ input: process.stdin })) {
  const [sign, pgid] = line.split(" ");
  if (sign === "+") groups.add(Number(pgid));
  else groups.delete(Number(pgid));
}
for (const pgid of groups) killGroup(pgid);
for (let left = await processesIn(dir); left.length > 0; left = await processesIn(dir)) {
  for (const pid of left) killProcess(pid);
  await sleep(SWEEP_EVERY_MS);
}

/** Pids of the processes whose working folder is below a folder. */
async function processesIn(folder: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return cwd.startsWith(`${folder}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
