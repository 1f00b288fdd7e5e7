import { describeError } from "../shared/errors.ts";
import type { Context } from "./context.ts";

/** How long the preStop hook may keep the kubelet waiting. */
const ANNOUNCE_MS = 200;

/**
 * The keeper's preStop hook: stores when it began (by the boot clock), then tells the server that the hold is about to end.
 * Both are hints, so nothing that goes wrong is an error; a single try, for the SIGTERM that follows must not be held up.
 */
export async function runAnnounce(context: Context, beganMs: number): Promise<void> {
  const { config, holdFile, prestopFile, bootMs, client, route, log } = context;
  try {
    prestopFile.write(beganMs);
    const hold = holdFile.read(config.lease);
    if (hold === undefined) return;
    route.learn(hold);
    await client.announce(hold.token, { totalMs: Math.max(0, ANNOUNCE_MS - (bootMs() - beganMs)) });
  } catch (error) {
    log.info(`the end of klease ${config.lease} could not be announced: ${describeError(error)}`);
  }
}
