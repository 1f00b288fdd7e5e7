/** A script as in docs/koncli.md: it acquires, works while it renews, stops when a renewal is refused, and releases. */

import { CLI_EXIT, exitCodeOf } from "../../src/cli/failure.ts";
import { sleepUntil } from "../../src/client/awake-clock.ts";
import { reserveMs } from "../../src/client/hold-timing.ts";
import type { ClientHold, LeaseClient } from "../../src/client/types.ts";
import { KonductorError } from "../../src/shared/errors.ts";
import { type Surroundings, wishOf } from "./work.ts";

const TRY_AGAIN_MS = 1_000;

export async function runScript({ wish, launch, clientOf, work, doubt }: Surroundings): Promise<void> {
  const { clock } = launch();
  const asked = wishOf(wish);
  const lost = new AbortController();
  const done = new AbortController();
  const over = AbortSignal.any([lost.signal, done.signal]);

  /** Runs one command as one process. */
  async function run<T>(command: (client: LeaseClient) => Promise<T>): Promise<T> {
    const launched = launch();
    try {
      return await command(clientOf(launched));
    } finally {
      launched.process.kill();
    }
  }
  const renew = () => run((client) => client.renew(asked));

  let hold = await run((client) => client.acquire({ ...asked, join: wish.takesOver === true }));
  // What is found again and is not renewable has a rest, which a script that needs a whole ttl does without.
  if (hold.sentMs === undefined) hold = await renew();

  async function renewAgainAndAgain(): Promise<void> {
    for (;;) {
      await clock.sleep(hold.ttlMs / 3, over);
      hold = await untilRenewed();
    }
  }
  async function untilRenewed(): Promise<ClientHold> {
    for (;;) {
      try {
        return await renew();
      } catch (error) {
        if (!over.aborted && exitCodeOf(error) === CLI_EXIT.no) lost.abort(error);
        over.throwIfAborted();
        doubt();
        await clock.sleep(TRY_AGAIN_MS, over);
      }
    }
  }
  const endsMs = () => (hold.sentMs ?? 0) + hold.ttlMs;
  async function watchDeadline(): Promise<void> {
    await sleepUntil(clock, () => endsMs() - reserveMs(hold.ttlMs, wish.graceMs), over);
    lost.abort(new KonductorError("Lost", "its ttl is about to end"));
  }

  void renewAgainAndAgain().catch(() => undefined);
  void watchDeadline().catch(() => undefined);
  await work(clock, {
    signal: lost.signal,
    graceMs: wish.graceMs,
    get expiresMs() {
      return clock.nowMs() + endsMs() - clock.monotonicMs();
    },
  });
  done.abort();
  await run((client) => client.release(asked));
  lost.signal.throwIfAborted();
}
