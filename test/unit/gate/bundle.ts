import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ENV } from "../../../src/shared/names.ts";
import { buildPrograms } from "../../../tools/build.ts";
import { buildTrialGate } from "../../../tools/trial/trial-programs.ts";

/** dist/gate.js as it is shipped, built into a directory of its own. */
export interface Bundle {
  path: string;
  /** The same file beside a package.json that declares ES modules, as in an npm install. */
  esmPath: string;
  /** The same program as a trial's containers get it: the value of {@link ENV.program}. */
  program(): Promise<string>;
  remove(): void;
}

export async function buildBundle(): Promise<Bundle> {
  const outDir = mkdtempSync(join(tmpdir(), "konductor-bundle-"));
  const root = join(import.meta.dirname, "../../..");
  const programs = [{ name: "gate", withoutPackages: true }];
  const [path = ""] = await buildPrograms({ root, outDir: join(outDir, "dist"), programs });
  const esmDir = mkdtempSync(join(outDir, "esm-"));
  writeFileSync(join(esmDir, "package.json"), '{"type":"module"}');
  const esmPath = join(esmDir, "gate.js");
  copyFileSync(path, esmPath);
  const program = async () => (await buildTrialGate(root)).toString("base64");
  return { path, esmPath, program, remove: () => rmSync(outDir, { recursive: true, force: true }) };
}

/** The environment of an injected container that reaches konductor at `url`. */
export function podEnv(url: string, ca: string, stateDir: string): Record<string, string> {
  writeFileSync(join(stateDir, "token"), "pod-token");
  return {
    [ENV.url]: url,
    [ENV.host]: "localhost",
    [ENV.ca]: ca,
    [ENV.lease]: "nightly-report",
    [ENV.fencing]: "true",
    [ENV.stopMs]: "1000",
    [ENV.rerun]: "true",
    [ENV.onLost]: "terminate",
    [ENV.tokenPath]: join(stateDir, "token"),
    [ENV.stateDir]: stateDir,
    [ENV.terminationLog]: join(stateDir, "termination-log"),
  };
}

export interface RunningProcess {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal that ended the process, once its output was read. */
  exit: Promise<number | NodeJS.Signals | null>;
  output(): string;
}

/** Starts `node ARGS` with only this environment. */
export function startNode(args: readonly string[], env: Record<string, string>): RunningProcess {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const exit = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), exit, output: () => output };
}
