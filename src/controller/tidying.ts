import { aboutKey } from "../lease/log-fields.ts";
import { describeError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";

export interface TidyingOptions {
  /** What is done for a Lease each time, besides `work`. */
  always(key: string): readonly Promise<unknown>[];
  /** Has the Lease looked at again. */
  wake(key: string): void;
  logger: Logger;
}

/** Work that no time limit of a Lease waits for, one run at a time for each Lease. */
export interface Tidying {
  /** If a run is under way, `work` is dropped, and the Lease is looked at again when that run is done. */
  tidy(key: string, work: () => Promise<unknown>): void;
  /** Resolves when nothing is under way. */
  atRest(): Promise<void>;
}

export function createTidying({ always, wake, logger }: TidyingOptions): Tidying {
  const underWay = new Map<string, Promise<void>>();
  /** Lease keys that are to be tidied once more. */
  const again = new Set<string>();

  async function all(key: string, work: () => Promise<unknown>): Promise<void> {
    await Promise.all([...always(key), work()]);
  }

  return {
    tidy(key, work) {
      if (underWay.has(key)) {
        again.add(key);
        return;
      }
      const run = all(key, work)
        .catch((error: unknown) =>
          logger.error({ ...aboutKey(key), error: describeError(error) }, "cannot be tidied"),
        )
        .finally(() => {
          underWay.delete(key);
          if (again.delete(key)) wake(key);
        });
      underWay.set(key, run);
    },
    async atRest() {
      await Promise.all(underWay.values());
    },
  };
}
