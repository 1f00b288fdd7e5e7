/**
 * A hold that is renewed in the background, as long as that is possible.
 *
 * Promise: the signal aborts as soon as the klease shows that the hold is over or taken away, and at the latest *reserve* before the ttl is
 * over, counted from the sending of the last renewal that konductor took into account. Whoever stops within the reserve has stopped before
 * anybody else can be granted. Limits: it needs its share of the CPU, and a process that is not stopped.
 */
import { formatDuration } from "../lease/duration.ts";
import { holdOf, isUsable } from "../lease/hold.ts";
import type { Lease } from "../lease/types.ts";
import { exponentialBackoff } from "../shared/backoff.ts";
import { describeError, hasCode, KonductorError } from "../shared/errors.ts";
import { sleepUntil } from "./awake-clock.ts";
import { type ClientContext, followLease } from "./client-context.ts";
import type { Followed } from "./follow.ts";
import { renewEveryMs } from "./hold-timing.ts";
import { releaseHold } from "./release-for-client.ts";
import { type Renewed, renewHold } from "./renewal.ts";
import { lossOf } from "./standing.ts";
import { awaitNoted, isNoted, tellSuccess } from "./success.ts";
import type { ClientHold, KeepOptions, KeptHold } from "./types.ts";
import { within } from "./within.ts";

/** What background renewals depend on. */
export interface Surroundings extends Pick<ClientContext, "clock" | "random"> {
  klease: Followed<Lease>;
  /** Renews the hold once. */
  renew(signal: AbortSignal): Promise<Renewed>;
}

const RETRY = { firstMs: 250, maxMs: 2_000 };
const LONGEST_ATTEMPT_MS = 10_000;
const SAY_TROUBLE_MS = 30_000;

/** See {@link LeaseClient.keep}. */
export function keepHold(context: ClientContext, hold: ClientHold, options: KeepOptions): KeptHold {
  const ended = new AbortController();
  const klease = followLease(context, hold.lease, ended.signal);
  const claim = { uid: hold.request.uid, token: hold.token };
  async function renew(signal: AbortSignal): Promise<Renewed> {
    const seen = await klease.until((objects) => ({ lease: objects.get(hold.lease) }), signal);
    const current = holdOf(seen.lease, claim);
    if (!current) throw lossOf(hold.lease, seen.lease, claim);
    return renewHold(context, { lease: hold.lease, hold: current }, klease, signal);
  }
  const kept = renewInBackground({ ...context, klease, renew }, hold, options, ended.signal);
  return {
    signal: kept.signal,
    token: hold.token,
    get expiresMs() {
      return kept.expiresMs;
    },
    async release({ hasSucceeded = false } = {}) {
      if (!hasSucceeded) {
        ended.abort();
        return releaseHold(context, hold, kept.signal);
      }
      try {
        // Renewed meanwhile: as long as the API server does not hear of the success, nobody else may begin.
        await tellSuccess(context, hold, kept.signal);
        ended.abort();
        return await awaitNoted(context, hold);
      } catch (error) {
        ended.abort();
        // Where the answer alone was lost, konductor has noted the work and ended the hold.
        if (await isNoted(context, hold)) return { isOver: true };
        await releaseHold(context, hold, kept.signal).catch(() => undefined);
        throw error;
      }
    },
  };
}

/** The promise of this module, until `ended` aborts. */
export function renewInBackground(
  { clock, random, klease, renew }: Surroundings,
  hold: ClientHold,
  { reserveMs, onTrouble }: KeepOptions,
  ended: AbortSignal,
): Pick<KeptHold, "signal" | "expiresMs"> {
  if (hold.sentMs === undefined) {
    throw new KonductorError(
      "BadRequest",
      `klease ${hold.lease} was found held, not granted just now: renew it before keeping it`,
    );
  }
  const { lease: name, token } = hold;
  const claim = { uid: hold.request.uid, token };
  const backoff = exponentialBackoff({ ...RETRY, random });
  const lost = new AbortController();
  const over = AbortSignal.any([ended, lost.signal]);
  let { ttlMs, sentMs } = { ...hold, sentMs: hold.sentMs };
  let saidAtMs = Number.NEGATIVE_INFINITY;
  /** When the first try of unknown outcome began. A later success counts from here, as konductor may have accepted any of these tries. */
  let unknownSinceMs: number | undefined;

  function say(error: unknown): void {
    if (clock.monotonicMs() - saidAtMs < SAY_TROUBLE_MS) return;
    saidAtMs = clock.monotonicMs();
    onTrouble?.(`klease ${name} could not be renewed and is tried again: ${describeError(error)}`);
  }

  async function watchForLoss(): Promise<void> {
    const loss = await klease.until((objects) => {
      const seen = objects.get(name);
      const found = holdOf(seen, claim);
      return seen && found && isUsable(seen, found) ? undefined : lossOf(name, seen, claim);
    }, over);
    lost.abort(loss);
  }

  async function watchDeadline(): Promise<void> {
    await sleepUntil(clock, () => sentMs + ttlMs - reserveMs, over);
    const silentFor = formatDuration(Math.round((clock.monotonicMs() - sentMs) / 1_000) * 1_000);
    const isRenewable = klease.objects?.get(name)?.spec.renewable ?? true;
    const cannot = isRenewable
      ? `could not be renewed for ${silentFor}`
      : "is not renewable (spec.renewable is false)";
    const why = `it ${cannot}, and its ttl of ${formatDuration(ttlMs)} is about to end`;
    lost.abort(new KonductorError("Lost", `klease ${name} is lost: ${why}`));
  }

  /** One try; resolves with when the next is due. */
  async function tryRenewal(failures: number): Promise<{ dueMs: number; failures: number }> {
    const everyMs = renewEveryMs(ttlMs, random());
    const isRenewable = klease.objects?.get(name)?.spec.renewable ?? true;
    if (!isRenewable) return { dueMs: clock.monotonicMs() + everyMs, failures: 0 };
    const beganMs = clock.monotonicMs();
    try {
      const renewed = await within(clock, Math.min(ttlMs / 6, LONGEST_ATTEMPT_MS), over, renew);
      if (!renewed) throw new KonductorError("NotReady", "konductor does not answer");
      sentMs = Math.max(sentMs, unknownSinceMs ?? renewed.sentMs);
      unknownSinceMs = undefined;
      ({ ttlMs } = renewed.hold);
      return { dueMs: sentMs + everyMs, failures: 0 };
    } catch (error) {
      if (over.aborted) throw error;
      unknownSinceMs ??= beganMs;
      if (hasCode(error, "Lost", "Revoked")) lost.abort(error);
      else if (!hasCode(error, "NotRenewable")) say(error);
      const delayMs = hasCode(error, "NotRenewable") ? everyMs : backoff(failures);
      return { dueMs: clock.monotonicMs() + delayMs, failures: failures + 1 };
    }
  }

  async function renewAgainAndAgain(): Promise<void> {
    let next = { dueMs: sentMs + renewEveryMs(ttlMs, random()), failures: 0 };
    for (;;) {
      await sleepUntil(clock, () => next.dueMs, over);
      next = await tryRenewal(next.failures);
    }
  }

  // Each loop ends when `over` aborts. A refused watch is only reported: the deadline decides.
  void watchForLoss().catch((error: unknown) => over.aborted || say(error));
  void watchDeadline().catch(() => undefined);
  void renewAgainAndAgain().catch(() => undefined);
  return {
    signal: lost.signal,
    get expiresMs() {
      return Math.floor(clock.nowMs() + sentMs + ttlMs - clock.monotonicMs());
    },
  };
}
