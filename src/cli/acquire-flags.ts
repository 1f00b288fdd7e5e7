/** The flags of the commands that acquire. */
import { type Command, InvalidArgumentError } from "commander";
import type { Wish } from "../client/types.ts";
import { KonductorError } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import { durationMs, holder, priority, ttlMs } from "./flags.ts";

export interface AcquireFlags {
  holder?: string;
  ttl?: number;
  priority?: number;
  wait: boolean;
  timeout?: number;
  create: boolean;
}

const DEFAULT_WAIT_MS = 30_000;

/** Declares the flags. `whose` describes the default of `--holder`. */
export function addAcquireFlags(command: Command, whose: string): Command {
  return command
    .option("--holder <name>", `who holds the klease (default: ${whose})`, holder)
    .option("--ttl <duration>", "how long the hold lasts without a renewal (default: the klease's)", ttlMs)
    .option("--priority <n>", "higher priorities are served first (default: the klease's)", priority)
    .option("--wait", "wait if somebody holds it; without it there is one try", false)
    .option(
      "--timeout <duration>",
      "with --wait, how long (default: 30s); 0 does not wait, -1s waits for ever",
      timeoutMs,
    )
    .option("--create", "create the klease if there is none, with the ttl, or 10m", false);
}

/** The wish that the flags express, without the holder. Throws `BadRequest` for a timeout without `--wait`. */
export function readAcquireFlags(
  flags: AcquireFlags,
): Pick<Wish, "ttlMs" | "priority" | "timeoutMs" | "create"> {
  const { wait, timeout, ttl, priority: rank, create } = flags;
  if (!wait && timeout !== undefined && timeout !== 0) {
    throw new KonductorError("BadRequest", "--timeout needs --wait, except --timeout 0, which does not wait");
  }
  return {
    ...defined({ ttlMs: ttl, priority: rank }),
    timeoutMs: wait ? (timeout ?? DEFAULT_WAIT_MS) : 0,
    create,
  };
}

/** A Go duration; a negative duration or number means for ever. */
function timeoutMs(value: string): number {
  if (/^-\d+$/.test(value)) return Number.POSITIVE_INFINITY;
  try {
    const ms = durationMs(value);
    return ms < 0 ? Number.POSITIVE_INFINITY : ms;
  } catch {
    throw new InvalidArgumentError(
      'a Go duration such as "30s" or "5m" is allowed; 0 does not wait, -1s waits for ever',
    );
  }
}
