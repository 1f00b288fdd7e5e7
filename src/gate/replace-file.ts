import { chmodSync, closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";

/**
 * Replaces a file in one step: a reader sees the old or the new content, never half of one. `mode` holds whatever the umask is.
 * `outlivesCrash`: also after a crash of the machine, for a file on a disk, which is waited for.
 */
export function replaceFile(
  path: string,
  content: string,
  mode: number,
  { outlivesCrash = false }: { outlivesCrash?: boolean } = {},
): void {
  const next = `${path}.tmp`;
  const file = openSync(next, "w", mode);
  try {
    writeFileSync(file, content);
    if (outlivesCrash) fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(next, mode);
  renameSync(next, path);
}
