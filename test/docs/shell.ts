/** Runs a page's scripts as a reader would: in bash, with kubectl, koncli and helm on the PATH. */
import { spawn } from "node:child_process";

export interface Written {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** After this time the script, and all that it started, is killed. */
  readonly timeoutMs: number;
}

/** Resolves when the script has ended. It ends at its first command that fails. */
export function runScript(script: string, { cwd, env, timeoutMs }: ShellOptions): Promise<Written> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
      ...{ cwd, env, detached: true },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const killing = setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), timeoutMs);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(killing);
      resolve({ code, stdout, stderr });
    });
  });
}
