import { chmodSync, renameSync, writeFileSync } from "node:fs";

/**
 * Replaces a file in one step: a reader sees the old or the new content, never half of one. `mode` holds whatever the umask is.
 * No fsync: the volumes are memory, and what a crash of the machine loses is made again by the gate.
 */
export function replaceFile(path: string, content: string, mode: number): void {
  const next = `${path}.tmp`;
  writeFileSync(next, content, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}
