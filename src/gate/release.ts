import { exponentialBackoff } from "../shared/backoff.ts";
import { describeError, KonductorError } from "../shared/errors.ts";
import type { Context } from "./context.ts";
import type { KeptHold } from "./kept-hold.ts";

/** How long a release is tried; after it the server finds out by itself that main has ended. */
const RELEASE_MS = 25_000;
/** The same for a lost hold: while the keeper lives, the kubelet writes no status that proves main's end. */
const LOST_RELEASE_MS = 5_000;
/** One try: a server that is busy with proof answers at once, too. */
const TRY_MS = 5_000;

/**
 * Tells the server that the keeper was asked to stop `sincePreStopMs` after its preStop hook began (undefined when that is not
 * known). Resolves when the server has answered, or when it has been tried for long enough: whether the hold is over is the server's to judge.
 */
export async function releaseHold(
  context: Context,
  { token, lost }: Pick<KeptHold, "token" | "lost">,
  sincePreStopMs: number | undefined,
): Promise<void> {
  const { config, clock, log, client, random } = context;
  const backoff = exponentialBackoff({ firstMs: 100, maxMs: 2_000, random });
  const limit = new AbortController();
  const cancel = clock.after(lost ? LOST_RELEASE_MS : RELEASE_MS, () => limit.abort());
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        const isOver = await client.release(token, sincePreStopMs, { totalMs: TRY_MS, signal: limit.signal });
        log.info(
          isOver
            ? `klease ${config.lease} released`
            : `klease ${config.lease} will be released when konductor sees that main has ended`,
        );
        return;
      } catch (error) {
        if (limit.signal.aborted || !(error instanceof KonductorError)) throw error;
        log.info(`releasing klease ${config.lease}: ${describeError(error)}`);
        if ([400, 403, 409].includes(error.status)) return;
        await clock.sleep(error.retryAfterMs ?? backoff(attempt), limit.signal);
      }
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    log.info(
      `klease ${config.lease} could not be released: konductor frees it when it sees that main has ended`,
    );
  } finally {
    cancel();
  }
}
