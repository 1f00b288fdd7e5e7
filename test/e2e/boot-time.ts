import { readFileSync } from "node:fs";

/** Milliseconds since boot: the clock of the journals, which every container on this machine shares. */
export function bootMs(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000;
}

/** The same clock's reading at a time of day that a process on this machine took. Both clocks tick in steps of up to 10 ms. */
export function toBootMs(timeOfDayMs: number): number {
  return bootMs() - (Date.now() - timeOfDayMs);
}
