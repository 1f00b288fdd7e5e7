import { describeError } from "../../shared/errors.ts";
import type { Context } from "../gate-context.ts";
import type { StoredHold } from "../hold-file.ts";
import type { Renewed } from "../wire/answers.ts";

/** The hold as the keeper knows it, stored at every change for a restarted keeper, and for main where `token-file` asks for it. */
export interface KeeperHold {
  readonly token: number;
  /** The ttl of the last answer. */
  readonly ttlMs: number;
  /** When the hold ends unless it is renewed, by the boot clock. */
  readonly deadlineMs: number;
  readonly lost: boolean;
  /** A renewal sent at `sentMs` was answered: the hold lasts for the answer's ttl from its *sending*. */
  renewed(sentMs: number, answer: Renewed): void;
  /** Marks the hold as lost, for the next gate. */
  lose(): void;
}

export function keeperHold({ holdFile, leaseFiles, route, log }: Context, stored: StoredHold): KeeperHold {
  let hold = stored;
  /** A failed write ends no hold: a restarted keeper, or main, would only see an earlier deadline. */
  const attempt = (write: () => void): void => {
    try {
      write();
    } catch (error) {
      log.info(`the state of klease ${hold.lease} could not be stored: ${describeError(error)}`);
    }
  };
  const store = (changes: Partial<StoredHold>): void => {
    hold = { ...hold, ...changes };
    attempt(() => holdFile.write(hold));
    attempt(() => (hold.state === "held" ? leaseFiles.show(hold) : leaseFiles.hide()));
  };
  return {
    token: stored.token,
    get ttlMs() {
      return hold.ttlMs;
    },
    get deadlineMs() {
      return hold.deadline;
    },
    get lost() {
      return hold.state === "lost";
    },
    renewed(sentMs, answer) {
      const { ttlMs } = answer;
      store({ ttlMs, deadline: sentMs + ttlMs, state: "held", ...route.learnt() });
    },
    lose: () => store({ state: "lost" }),
  };
}
