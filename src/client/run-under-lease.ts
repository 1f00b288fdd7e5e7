/**
 * Work that runs only while it holds a klease: acquire, renew in the background, run, release. The promises of `koncli lease exec` and
 * `withLease` are kept here.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { formatDuration } from "../lease/duration.ts";
import { describeError, KonductorError } from "../shared/errors.ts";
import { defaultGraceMs, longestGraceMs, reserveMs } from "./hold-timing.ts";
import type { KeptHold, LeaseClient, Wish } from "./types.ts";

export interface RunOptions extends Omit<Wish, "join" | "pod"> {
  /** How long the work needs to stop after `signal` has aborted. Default: 10 s, or a third of the ttl if that is shorter. */
  graceMs?: number | undefined;
  /** Called for trouble that is not worth failing for: renewals that are tried again, a release that failed. */
  onTrouble?: ((message: string) => void) | undefined;
}

/** The hold under which work runs. */
export interface WorkHold extends Omit<KeptHold, "release"> {
  readonly lease: string;
  readonly holder: string;
  /** For this long after `signal` has aborted nobody else is granted, unless an admin has taken the klease away. */
  readonly graceMs: number;
}

/**
 * Resolves with the result of `work`. When the hold is lost, its signal aborts and `work` has `graceMs` to stop; once `work` has settled,
 * this rejects with the loss, `Lost` or `Revoked`, whatever the result. Rejects with `Held` where this holder holds the klease already: two
 * would run at once. With `once` it rejects with `AlreadyDone` where the work has been done, and a result that `isSuccess` accepts is
 * noted as done.
 */
export async function runUnderLease<T>(
  client: LeaseClient,
  { graceMs, onTrouble, ...wish }: RunOptions,
  work: (hold: WorkHold) => Promise<T>,
  isSuccess: (result: T) => boolean = () => true,
): Promise<T> {
  const { lease, holder } = wish;
  if (wish.ttlMs !== undefined) requireTime(lease, wish.ttlMs, graceMs);
  const acquired = await client.acquire({
    ...wish,
    join: false,
    // Before it waits for long.
    onLease(found) {
      wish.onLease?.(found);
      requireTime(lease, wish.ttlMs ?? found.spec.ttlMs, graceMs);
    },
  });
  const { token, ttlMs } = acquired;
  // The ttl may have become shorter while it waited.
  const heldGraceMs = Math.min(graceMs ?? defaultGraceMs(ttlMs), longestGraceMs(ttlMs));
  const kept = client.keep(acquired, { reserveMs: reserveMs(ttlMs, heldGraceMs), onTrouble });
  const { signal } = kept;
  const hold: WorkHold = {
    ...{ lease, holder, token, signal, graceMs: heldGraceMs },
    get expiresMs() {
      return kept.expiresMs;
    },
  };
  const [settled] = await Promise.allSettled([begin()]);
  const loss: unknown = signal.aborted ? signal.reason : undefined;
  const hasSucceeded =
    wish.once !== undefined && !loss && settled.status === "fulfilled" && isSuccess(settled.value);
  await end(kept, loss ? undefined : onTrouble, hasSucceeded);
  if (loss) throw loss;
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;

  /** A process that stood still since it confirmed may be too late: its work is not begun. */
  async function begin(): Promise<T> {
    await nextTurn();
    signal.throwIfAborted();
    return work(hold);
  }

  async function end(
    { release }: KeptHold,
    tell: RunOptions["onTrouble"],
    hasSucceeded: boolean,
  ): Promise<void> {
    try {
      const { isOver } = await release({ hasSucceeded });
      if (!isOver)
        tell?.(`konductor has not seen yet that klease ${lease} was released; it ends when it has`);
    } catch (error) {
      if (hasSucceeded)
        return tell?.(
          `that "${wish.once}" is done could not be noted under klease ${lease}, so it may be done again: ${describeError(error)}`,
        );
      tell?.(`klease ${lease} could not be released and ends when its ttl is over: ${describeError(error)}`);
    }
  }
}

function requireTime(lease: string, ttlMs: number, graceMs: number | undefined): void {
  const longestMs = longestGraceMs(ttlMs);
  if (graceMs === undefined || graceMs <= longestMs) return;
  throw new KonductorError(
    "Invalid",
    `a grace period of ${formatDuration(graceMs)} (--grace) is too long for the ttl ${formatDuration(ttlMs)} of klease ${lease}: at most ` +
      `${formatDuration(longestMs)} is allowed, or a longer ttl (--ttl)`,
  );
}
