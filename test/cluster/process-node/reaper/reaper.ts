import { spawn } from "node:child_process";
import { join } from "node:path";

/** Outlives this process for a moment, to end the processes that this one started. */
export interface Reaper {
  watch(pgid: number): void;
  forget(pgid: number): void;
  /** Ends the reaper, after it has killed every process that is left. */
  dismiss(): void;
}

/** `nodePath` runs the reaper: a Node that runs TypeScript. `dir` is the folder below which every process of the node starts. */
export function startReaper(nodePath: string, dir: string): Reaper {
  const child = spawn(nodePath, [join(import.meta.dirname, "main.ts"), dir], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  return {
    watch: (pgid) => child.stdin.write(`+ ${pgid}\n`),
    forget: (pgid) => child.stdin.write(`- ${pgid}\n`),
    dismiss: () => child.stdin.end(),
  };
}
