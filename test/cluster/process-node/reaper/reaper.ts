import { spawn } from "node:child_process";
import { join } from "node:path";

/** Outlives this process by a moment, to end what it started. */
export interface Reaper {
  watch(pgid: number): void;
  forget(pgid: number): void;
  /** Ends it, and with it everything that it still finds. */
  dismiss(): void;
}

/** `nodePath` runs it: a Node that takes TypeScript. `dir` is the folder below which every process of ours begins. */
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
