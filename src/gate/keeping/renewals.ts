import { describeError, isRenewalLimit, KonductorError } from "../../shared/errors.ts";
import { type Context, renewTimeoutMs, SAY_TROUBLE_MS } from "../gate-context.ts";
import { troubleLog } from "../log.ts";
import { sleepUntil } from "../sleep-until.ts";
import { pauseWithin, untilAnswered } from "../wire/tries.ts";
import type { KeeperHold } from "./keeper-hold.ts";

/** A lost hold whose pod goes on is retried three times per ttl, and at least this often. */
const LOST_RETRY_MS = 30_000;

export interface Loss {
  /** How long before its deadline the hold counts as lost. */
  marginMs: number;
  lose(why: string): void;
}

/**
 * Renews the hold three times per ttl and calls `lose` when the server says that the hold is over. Resolves when the server will not renew
 * it any longer (it then ends at its deadline); rejects with the signal's reason.
 *
 * Between the time when a renewal is due and the time when the hold would be lost, enough tries are made to meet a healthy replica, if any.
 */
export async function keepRenewing(
  context: Context,
  hold: KeeperHold,
  { marginMs, lose }: Loss,
  signal: AbortSignal,
): Promise<void> {
  const { config, clock, bootMs, log, client, random } = context;
  const keeperSince = context.momentOf(context.startedMs);
  const { trouble, over } = troubleLog(log, clock.monotonicMs, SAY_TROUBLE_MS);
  const everyMs = (): number => (hold.ttlMs / 3) * (0.95 + 0.1 * random());
  const lostPauseMs = (): number => Math.min(everyMs(), LOST_RETRY_MS);
  // A restarted keeper goes on in the rhythm of the one before it.
  let dueMs = Math.min(bootMs() + everyMs(), hold.deadlineMs - hold.ttlMs + everyMs());

  const renew = () =>
    untilAnswered(
      context,
      (options) => client.renew({ token: hold.token, ttlMs: hold.ttlMs, keeperSince }, options),
      {
        tryMs: renewTimeoutMs(hold.ttlMs),
        pauseMs: () => (hold.lost ? lostPauseMs() : pauseWithin(hold.deadlineMs - marginMs - bootMs())),
        isFinal: ({ status }) => status === 409,
        onTrouble: (error) =>
          trouble(`renewing klease ${config.lease} fails, trying again: ${describeError(error)}`),
      },
      signal,
    );

  for (;;) {
    await sleepUntil(context, () => dueMs, signal);
    try {
      const { answer, sentMs } = await renew();
      if (hold.lost) log.info(`klease ${config.lease} is held again: konductor renewed it after all`);
      over(`klease ${config.lease} is renewed again`);
      hold.renewed(sentMs, answer);
      dueMs = sentMs + everyMs();
    } catch (error) {
      if (signal.aborted || !(error instanceof KonductorError)) throw error;
      if (isRenewalLimit(error.code)) {
        log.info(`klease ${config.lease} is not renewed any more, so its hold ends: ${describeError(error)}`);
        return;
      }
      lose(describeError(error));
      dueMs = bootMs() + lostPauseMs();
    }
  }
}
