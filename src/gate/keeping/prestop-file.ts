import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * `prestop` in the state directory: when the keeper's preStop hook began, by the boot clock. The server takes a SIGTERM that follows at
 * once as a sign that main is over, so an uncertain time must not be reported.
 */
export interface PrestopFile {
  write(beganMs: number): void;
  /** Removes what a hook of an earlier keeper left: anything that began before `startedMs`. */
  discardBefore(startedMs: number): void;
  /** When the hook began; undefined if that is unknown or after `nowMs`. */
  read(nowMs: number): number | undefined;
}

export function prestopFile(stateDir: string): PrestopFile {
  const path = join(stateDir, "prestop");
  const read = (nowMs: number): number | undefined => {
    try {
      const text = readFileSync(path, "utf8");
      return /^\d{1,15}$/.test(text) && Number(text) <= nowMs ? Number(text) : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    read,
    write: (beganMs) => writeFileSync(path, String(Math.round(beganMs))),
    discardBefore(startedMs) {
      const beganMs = read(Number.POSITIVE_INFINITY);
      if (beganMs === undefined || beganMs < startedMs) rmSync(path, { force: true });
    },
  };
}
