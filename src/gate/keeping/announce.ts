import { describeError } from "../../shared/errors.ts";
import type { Context } from "../gate-context.ts";
import { isVerdict } from "../wire/answers.ts";
import { untilAnswered } from "../wire/tries.ts";

/** How long the preStop hook may keep the kubelet waiting. */
const ANNOUNCE_MS = 200;

/** A healthy replica usually answers sooner. */
const NEXT_TRY_AFTER_MS = 50;

/**
 * The keeper's preStop hook: stores when it began (by the boot clock), then tells the server that the hold is about to end. Both are hints:
 * no failure is an error, and the SIGTERM that follows is not held up. For a pod that is gone this is the first sign of its end, so the
 * call is retried within {@link ANNOUNCE_MS} where another replica, or the next moment, may answer differently.
 */
export async function runAnnounce(context: Context, beganMs: number): Promise<void> {
  const { config, holdFile, prestopFile, clock, bootMs, momentOf, client, route, log } = context;
  const limit = new AbortController();
  const leftMs = Math.max(0, ANNOUNCE_MS - (bootMs() - beganMs));
  const cancel = clock.after(leftMs, () => limit.abort());
  let trouble: unknown = `konductor did not answer within ${ANNOUNCE_MS} ms`;
  try {
    prestopFile.write(beganMs);
    const hold = holdFile.read(config.lease);
    if (hold === undefined) return;
    route.recall(hold);
    const word = { token: hold.token, keeperSince: momentOf(beganMs) };
    await untilAnswered(
      context,
      (options) => client.announce(word, options),
      {
        tryMs: leftMs,
        pauseMs: () => NEXT_TRY_AFTER_MS,
        isFinal: isVerdict,
        onTrouble(error) {
          trouble = error;
        },
      },
      limit.signal,
    );
  } catch (error) {
    const why = limit.signal.aborted ? trouble : error;
    log.info(`the end of klease ${config.lease} could not be announced: ${describeError(why)}`);
  } finally {
    cancel();
  }
}
