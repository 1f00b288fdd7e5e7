import { exponentialBackoff } from "../shared/backoff.ts";
import { describeError, KonductorError } from "../shared/errors.ts";
import { type Context, renewTimeoutMs, SAY_TROUBLE_MS } from "./context.ts";
import type { KeptHold } from "./kept-hold.ts";
import { troubleLog } from "./log.ts";
import { sleepUntil } from "./sleep-until.ts";

const RETRY = { firstMs: 250, maxMs: 2_000 };
/** A hold that is lost, but whose pod goes on, is tried again three times in its ttl, and at least this often. */
const LOST_RETRY_MS = 30_000;

/**
 * Renews the hold three times in its ttl and calls `lose` when the server says that it is over. Resolves when the server will
 * not renew it any longer (it then ends at its deadline); rejects with the signal's reason.
 */
export async function keepRenewing(
  context: Context,
  hold: KeptHold,
  lose: (why: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { config, clock, bootMs, log, client, random } = context;
  const backoff = exponentialBackoff({ ...RETRY, random });
  const { trouble, over } = troubleLog(log, clock.monotonicMs, SAY_TROUBLE_MS);
  const everyMs = (): number => (hold.ttlMs / 3) * (0.95 + 0.1 * random());
  // A restarted keeper goes on in the rhythm of the one before it.
  let dueMs = Math.min(bootMs() + everyMs(), hold.deadlineMs - hold.ttlMs + everyMs());
  let failures = 0;

  const delayMs = (error: KonductorError): number => {
    if (hold.lost) return Math.min(everyMs(), LOST_RETRY_MS);
    const longestMs = Math.max(RETRY.maxMs, (hold.deadlineMs - bootMs()) / 4);
    return Math.min(error.retryAfterMs ?? backoff(failures++), longestMs);
  };

  for (;;) {
    await sleepUntil(context, () => dueMs, signal);
    const sentMs = bootMs();
    try {
      const renewal = { token: hold.token, ttlMs: hold.ttlMs };
      const answer = await client.renew(renewal, { totalMs: renewTimeoutMs(hold.ttlMs), signal });
      if (hold.lost) log.info(`klease ${config.lease} is held again: konductor renewed it after all`);
      over(`klease ${config.lease} is renewed again`);
      hold.renewed(sentMs, answer);
      failures = 0;
      dueMs = sentMs + everyMs();
    } catch (error) {
      if (signal.aborted || !(error instanceof KonductorError)) throw error;
      if (error.code === "MaxHold" || error.code === "NotRenewable") {
        log.info(`klease ${config.lease} is not renewed any more, so its hold ends: ${describeError(error)}`);
        return;
      }
      if (error.status === 409) lose(describeError(error));
      else trouble(`renewing klease ${config.lease} fails, trying again: ${describeError(error)}`);
      dueMs = bootMs() + delayMs(error);
    }
  }
}
