import type { Clock } from "../shared/clock.ts";
import type { BootClock } from "./boot-clock.ts";
import type { GateConfig } from "./config.ts";
import type { HoldFile } from "./hold-file.ts";
import type { PrestopFile } from "./keeping/prestop-file.ts";
import type { LeaseFiles } from "./lease-files.ts";
import type { Log } from "./log.ts";
import type { TrustFile } from "./trust-file.ts";
import type { Client } from "./wire/client.ts";
import type { Route } from "./wire/route.ts";

/** What gate, keeper and announcement work with. */
export interface Context {
  config: GateConfig;
  clock: Clock;
  bootMs: BootClock;
  /** When this process began, by the boot clock. */
  startedMs: number;
  /** A moment of the boot clock in the form that the server is sent. */
  momentOf(bootMs: number): string;
  /** Identifies one attempt of this gate to acquire, so that the server can tell its requests from late ones of earlier attempts. */
  newGateRun(): string;
  log: Log;
  client: Client;
  route: Route;
  holdFile: HoldFile;
  trustFile: TrustFile;
  prestopFile: PrestopFile;
  leaseFiles: LeaseFiles;
  /** Source of jitter in [0, 1). */
  random: () => number;
}

/** Limit of one try to renew: several fit between two due renewals, and none may use up the ttl. */
export function renewTimeoutMs(ttlMs: number): number {
  return Math.min(ttlMs / 6, 5_000);
}

/** Trouble that lasts is logged at most this often. */
export const SAY_TROUBLE_MS = 30_000;
