import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Reaper {
  /** The owner has ended the cluster: the reaper has nothing left to do. */
  dismiss(): Promise<void>;
}

/** Starts the process that ends a cluster when this process dies. */
export function startReaper(recordPath: string): Reaper {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), recordPath], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  return {
    async dismiss() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref();
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    },
  };
}
