import { readFileSync } from "node:fs";
import { uptime } from "node:os";

/**
 * Milliseconds since the machine booted, suspended time included: the one clock that all containers of a pod share, that
 * survives a container's restart, and that nobody can set. It counts in steps of 10 ms.
 */
export type BootClock = () => number;

export function systemBootClock(): BootClock {
  // Some container runtimes (lxcfs) show each container an uptime of its own, and then CLOCK_MONOTONIC is ahead of it.
  return () => Math.round(Math.max(uptime() * 1000, Number(process.hrtime.bigint() / 1_000_000n)));
}

/** Tells this boot of the machine from every other one (random(4)). */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
