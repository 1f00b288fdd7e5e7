import { describeError, KonductorError } from "../../shared/errors.ts";
import type { Context } from "../gate-context.ts";
import { isVerdict } from "../wire/answers.ts";
import { pauseWithin, untilAnswered } from "../wire/tries.ts";
import type { KeeperHold } from "./keeper-hold.ts";

/** How long a release is tried; after it the server finds out by itself that main has ended. */
const RELEASE_MS = 25_000;
/** The same for a lost hold: while the keeper lives, the kubelet writes no status that proves main's end. */
const LOST_RELEASE_MS = 5_000;
/** Limit of one try: a server that still waits for proof answers at once, too. */
const TRY_MS = 5_000;

/** SIGTERM, by the boot clock. */
interface Stop {
  atMs: number;
  /** Since the keeper's preStop hook began; undefined if unknown. */
  sincePreStopMs: number | undefined;
  /** When the pod has to be fenced unless its hold is renewed; Infinity if it cannot be. */
  fenceDueMs: number;
}

/**
 * Tells the server that the keeper was asked to stop. Resolves when the server has answered, or the time for trying is over: the server judges
 * whether the hold is over. A keeper may have been stopped alone, as by a change of its image, while main runs on. So it ends before the pod
 * would have to be fenced, and makes room for the next keeper, which fences.
 */
export async function releaseHold(
  context: Context,
  { token, lost }: Pick<KeeperHold, "token" | "lost">,
  { atMs, sincePreStopMs, fenceDueMs }: Stop,
): Promise<void> {
  const { config, clock, log, client } = context;
  const word = { token, keeperSince: context.momentOf(atMs), sincePreStopMs };
  const limit = new AbortController();
  const limitMs = lost ? LOST_RELEASE_MS : Math.min(RELEASE_MS, fenceDueMs - context.bootMs());
  const cancel = clock.after(limitMs, () => limit.abort());
  const say = (error: KonductorError) =>
    log.info(`releasing klease ${config.lease}: ${describeError(error)}`);
  try {
    const { answer: isOver } = await untilAnswered(
      context,
      (options) => client.release(word, options),
      { tryMs: TRY_MS, pauseMs: () => pauseWithin(limitMs), isFinal: isVerdict, onTrouble: say },
      limit.signal,
    );
    log.info(
      isOver
        ? `klease ${config.lease} released`
        : `klease ${config.lease} will be released when konductor sees that main has ended`,
    );
  } catch (error) {
    if (limit.signal.aborted) {
      log.info(
        `klease ${config.lease} could not be released: konductor frees it when it sees that main has ended`,
      );
    } else if (error instanceof KonductorError) say(error);
    else throw error;
  } finally {
    cancel();
  }
}
