import { chmodSync, renameSync, writeFileSync } from "node:fs";

/**
 * Replaces a file in one step: a reader sees the old or the new content, never half of one. `mode` holds whatever the umask is.
 * No fsync: what a crash of the machine loses is made or learnt again, and a keeper that has to fence must not wait for a disk.
 */
export function replaceFile(path: string, content: string, mode: number): void {
  const next = `${path}.tmp`;
  writeFileSync(next, content, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}
