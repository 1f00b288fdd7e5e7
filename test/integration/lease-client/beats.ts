/** Signs of life of a command, in a file. */
import { readFile } from "node:fs/promises";

/** A shell command that shows every 20 ms, in milliseconds since the epoch, that it still runs. */
export const beat = (path: string) => `while :; do date +%s%3N >> ${path}; sleep 0.02; done`;

export async function lastBeatMs(path: string): Promise<number> {
  const times = (await readFile(path, "utf8")).trim().split("\n").map(Number);
  return Math.max(...times);
}
