import { isOnceKey, ONCE_KEY_RULE } from "../lease/once.ts";
import { KonductorError } from "../shared/errors.ts";
import type { RunOptions } from "./run-under-lease.ts";

const INT32 = 2 ** 31;
const LONGEST_HOLDER = 253;

/** Checks a program's options before anything is sent. Throws `Invalid`: one sentence about the option, its value, and what is allowed. */
export function checkWish({ lease, holder, ttlMs, timeoutMs, priority, graceMs, once }: RunOptions): void {
  const refuse = (option: string, value: unknown, allowed: string): never => {
    throw new KonductorError("Invalid", `${option} ${JSON.stringify(value) ?? value}: ${allowed} is allowed`);
  };
  if (lease === "") refuse("lease", lease, "the name of a klease");
  if (holder === "" || holder.length > LONGEST_HOLDER)
    refuse("holder", holder, `a name of 1 to ${LONGEST_HOLDER} characters`);
  if (ttlMs !== undefined && !(ttlMs > 0 && Number.isFinite(ttlMs)))
    refuse("ttlMs", ttlMs, "a number of milliseconds above 0");
  if (!(timeoutMs >= 0)) refuse("timeoutMs", timeoutMs, "0 (one try), a number of milliseconds, or Infinity");
  if (graceMs !== undefined && !(graceMs >= 0 && Number.isFinite(graceMs)))
    refuse("graceMs", graceMs, "a number of milliseconds");
  if (once !== undefined && !isOnceKey(once)) refuse("once", once, `a key (${ONCE_KEY_RULE})`);
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= -INT32 && priority < INT32))
    refuse("priority", priority, "a whole number of 32 bits");
}
