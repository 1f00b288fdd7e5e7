/**
 * The files `token` and `expires`, which the user's containers read where `token-file` asks for it.
 *
 * Each is replaced in one step, so that a reader sees the old or the new content and never half of one. The expiry is written before its
 * token and removed after it, so that there is never a token without an expiry. The token changes only while no container of the user runs.
 * Nobody but gate and keeper can write here, and everybody can read, whatever user the containers run as.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { LEASE_FILES } from "../shared/names.ts";
import type { BootClock } from "./boot-clock.ts";
import type { StoredHold } from "./hold-file.ts";
import { replaceFile } from "./replace-file.ts";

export interface LeaseFiles {
  /** Shows this hold. Throws if it cannot. */
  show(hold: Pick<StoredHold, "token" | "deadline">): void;
  /** Shows none. Throws if it cannot. */
  hide(): void;
}

export interface LeaseFilesOptions {
  /** undefined: nobody wants to read them. */
  dir: string | undefined;
  /** The node's time of day, in which the readers count. */
  nowMs(): number;
  bootMs: BootClock;
}

const WORLD_READABLE = 0o644;

export function leaseFiles({ dir, nowMs, bootMs }: LeaseFilesOptions): LeaseFiles {
  if (dir === undefined) return { show() {}, hide() {} };
  const [token, expires] = [join(dir, LEASE_FILES.token), join(dir, LEASE_FILES.expires)];
  return {
    show(hold) {
      replaceFile(expires, timeOf(nowMs() + hold.deadline - bootMs()), WORLD_READABLE);
      replaceFile(token, String(hold.token), WORLD_READABLE);
    },
    hide() {
      for (const path of [token, expires]) rmSync(path, { force: true });
    },
  };
}

/** RFC 3339 in whole seconds, rounded down: a form that every `date` reads. */
function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
