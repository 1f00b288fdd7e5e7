import type { Clock } from "../../shared/clock.ts";
import { describeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";

export interface Upkeep {
  tasks: readonly (() => Promise<unknown>)[];
  everyMs: number;
}

/** Refreshes what rarely changes. A task that fails is tried again next time; until then the last known state will do. */
export async function keepUp(
  { tasks, everyMs }: Upkeep,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(everyMs, signal).catch(() => undefined);
    for (const task of tasks) {
      if (signal.aborted) return;
      await task().catch((error: unknown) => logger.warn({ error: describeError(error) }, "upkeep failed"));
    }
  }
}
