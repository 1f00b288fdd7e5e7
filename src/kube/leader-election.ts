/**
 * One leader among replicas, by a coordination.k8s.io Lease, after client-go's leaderelection.
 *
 * Guarantees, as long as monotonic clocks run at about the same rate:
 * - A term's signal aborts at the latest `renewDeadlineMs` after the last renewal that succeeded was *sent*; another takes the lead at
 *   the earliest `leaseDurationMs` after it *saw* that renewal. So a term ends before the next begins, with
 *   leaseDuration - renewDeadline to spare, whatever the wall clocks say and however the server hangs.
 * - Every write is guarded by the resourceVersion, so that of several candidates one wins.
 * - A term that ends in good order (shutdown, its work ended, or the lead was given away) is renewed until its work has ended, and only then
 *   released.
 * - A leader that is not fit says so in the Lease, and goes on. It gives the lead away as soon as a candidate that is fit has asked for it there.
 *   So one that is ill does not lead beside one that is well, and what makes all of them unfit ends no term.
 *
 * Limits: work that does not stop when its signal aborts, or a process that was paused (a suspended machine's clock stands
 * still), may act beside the next leader for a while: what it writes must be guarded by itself. Somebody who edits
 * the Lease by hand can depose a leader; it notices at its next renewal.
 */
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode, KonductorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { KubeClient } from "./api.ts";
import { askedFor, claimed, type ElectionRecord, parseElectionRecord, released } from "./election-record.ts";
import { ELECTION_LEASES } from "./resources.ts";

/** Candidates wait longer than the retry period by up to this share, so that they do not all ask at the same moment. */
const JITTER = 0.2;

export interface ElectionTimes {
  /** Others leave a record alone for this long after its last change. Whole seconds. */
  leaseDurationMs: number;
  /** A leader that could not renew for this long stops leading. */
  renewDeadlineMs: number;
  /** How often a leader renews, and a candidate looks. */
  retryPeriodMs: number;
}

export const ELECTION_TIMES: ElectionTimes = {
  leaseDurationMs: 6_000,
  renewDeadlineMs: 4_000,
  retryPeriodMs: 1_000,
};

/** {@link ELECTION_TIMES} where nothing else is said. */
export interface LeaderElectorOptions extends Partial<ElectionTimes> {
  client: KubeClient;
  /** Of the Lease. */
  namespace: string;
  name: string;
  /** Unique to this run of this process: a record that names it is taken for our own. */
  identity: string;
  clock: Clock;
  logger: Logger;
  /** Whether this replica can do the leader's work; always, if not given. */
  isFit?: () => boolean;
  /** Source of the candidates' jitter, in [0, 1). */
  random?: () => number;
  /** A term. It should end soon after `signal` aborts; ending earlier, or rejecting, gives the lead away. */
  onStartedLeading(signal: AbortSignal): Promise<void>;
}

export interface LeaderElector {
  /** Competes and leads until `signal` aborts, the last term has ended and the Lease is released. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether a term runs that nothing has ended. */
  isLeader(): boolean;
}

/** Throws Invalid when the times do not fit together. */
export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  const { client, namespace, name, identity, clock, onStartedLeading } = options;
  const { isFit = () => true, random = Math.random } = options;
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = { ...ELECTION_TIMES, ...options };
  if (identity === "") throw refusal("the identity must not be empty");
  checkElectionTimes({ leaseDurationMs, renewDeadlineMs, retryPeriodMs });
  const ref = { namespace, name };
  const logger = options.logger.child({ election: `${namespace}/${name}`, identity });

  /** The newest record, if we know it because we wrote it. */
  let own: ElectionRecord | undefined;
  /** The last record seen, and since when it has looked the same. */
  let seen: { record: ElectionRecord; atMs: number } | undefined;
  /** Until when we may lead. */
  let untilMs = Number.NEGATIVE_INFINITY;
  let term: AbortSignal | undefined;
  let trouble: string | undefined;

  /** Half the deadline: time for a second try when a connection is dead. Never beyond the end of the lead. */
  function timeoutMs(): number {
    const leftMs = untilMs - clock.monotonicMs();
    return Math.ceil(Math.min(renewDeadlineMs / 2, leftMs > 0 ? leftMs : Number.POSITIVE_INFINITY));
  }

  /** No crowd of other calls may end a term. */
  const limits = () => ({ timeoutMs: timeoutMs(), outOfTurn: true });

  function observe(record: ElectionRecord): ElectionRecord {
    const isSame = seen?.record.fingerprint === record.fingerprint;
    seen = { record, atMs: seen && isSame ? seen.atMs : clock.monotonicMs() };
    return record;
  }

  async function read(): Promise<ElectionRecord | undefined> {
    try {
      return observe(await client.get(ELECTION_LEASES, ref, parseElectionRecord, limits()));
    } catch (error) {
      if (hasCode(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** Whether another one may believe that it leads. A Lease that was deleted does not end its holder's term. */
  function isTaken(): boolean {
    if (!seen || seen.record.holder === "" || seen.record.holder === identity) return false;
    return clock.monotonicMs() < seen.atMs + (seen.record.durationMs ?? leaseDurationMs);
  }

  /** Takes or renews the lead; false if another one has it. Throws on a refusal, or no answer. */
  async function claim(): Promise<boolean> {
    const old = own ?? (await read());
    own = undefined;
    if (isTaken()) {
      if (old?.offeredTo === "" && isFit()) await askFor(old);
      return false;
    }
    const sentMs = clock.monotonicMs();
    const terms = { identity, durationMs: leaseDurationMs, isOffered: !isFit(), nowMs: clock.nowMs() };
    const lease = claimed(ref, old, terms);
    const write = old ? client.replace : client.create;
    own = observe(await write(ELECTION_LEASES, lease, parseElectionRecord, limits()));
    untilMs = sentMs + renewDeadlineMs;
    return true;
  }

  async function askFor(record: ElectionRecord): Promise<void> {
    logger.info({ holder: record.holder }, "the leader cannot do its work; asking for the lead");
    observe(await client.replace(ELECTION_LEASES, askedFor(record, identity), parseElectionRecord, limits()));
  }

  /** "taken" by another; "unknown" when the server could not be asked. */
  async function tryToHold(): Promise<"held" | "taken" | "unknown"> {
    try {
      const isHeld = await claim().catch((error: unknown) => {
        // Somebody wrote in between: one look tells who.
        if (hasCode(error, "Conflict", "AlreadyExists", "NotFound")) return claim();
        throw error;
      });
      trouble = undefined;
      return isHeld ? "held" : "taken";
    } catch (error) {
      const text = describeError(error);
      if (text !== trouble) logger.warn({ error: text }, "cannot take or renew the lead; trying again");
      trouble = text;
      return "unknown";
    }
  }

  /** From a successful claim to the end of the term and of its work. Resolves with whether the lead was given away. */
  async function lead(signal: AbortSignal): Promise<boolean> {
    const [over, given] = [new AbortController(), new AbortController()];
    term = AbortSignal.any([signal, over.signal, given.signal]);
    const work = runTerm(term).finally(() => over.abort(new Error("the term's work has ended")));
    await renew(over, given);
    await work;
    term = undefined;
    const isGiven = given.signal.aborted;
    const { reason } = (isGiven ? given : over).signal;
    logger.info({ reason: describeError(reason) }, "leads no longer");
    if (clock.monotonicMs() < untilMs) await release();
    own = undefined;
    untilMs = Number.NEGATIVE_INFINITY;
    return isGiven;
  }

  async function runTerm(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    logger.info("leads");
    try {
      await onStartedLeading(signal);
    } catch (error) {
      if (error !== signal.reason) logger.error({ error: describeError(error) }, "the leader's work failed");
    }
  }

  /** Returns when the term is over. An alarm ends it in time even while a call hangs. */
  async function renew(over: AbortController, given: AbortController): Promise<void> {
    let nextMs = clock.monotonicMs() + retryPeriodMs;
    while (!over.signal.aborted) {
      const cancelAlarm = clock.after(untilMs - clock.monotonicMs(), () =>
        over.abort(new Error(`the lead could not be renewed for ${renewDeadlineMs} ms`)),
      );
      await pause(nextMs - clock.monotonicMs(), over.signal);
      nextMs = clock.monotonicMs() + retryPeriodMs;
      if (!over.signal.aborted && (await tryToHold()) === "taken") {
        untilMs = Number.NEGATIVE_INFINITY;
        over.abort(new Error(`${seen?.record.holder} has taken the lead`));
      }
      // Only a leader that is not fit keeps the name in its record.
      else if (own?.offeredTo)
        given.abort(new Error(`${own.offeredTo} can do the work, and this replica cannot`));
      cancelAlarm();
    }
  }

  async function release(): Promise<void> {
    try {
      const record = own ?? (await read());
      if (record?.holder !== identity) return;
      const lease = released(record, clock.nowMs());
      observe(await client.replace(ELECTION_LEASES, lease, parseElectionRecord, limits()));
    } catch (error) {
      logger.warn({ error: describeError(error) }, "cannot release the lead; it expires by itself");
    }
  }

  /** Shorter when `signal` aborts. */
  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(Math.max(0, ms), signal).catch(() => undefined);
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        const isGiven = (await tryToHold()) === "held" && (await lead(signal));
        // Whoever asked for the lead comes first.
        if (isGiven) await pause(leaseDurationMs, signal);
        await pause(retryPeriodMs * (1 + JITTER * random()), signal);
      }
    },
    isLeader: () => term !== undefined && !term.aborted && clock.monotonicMs() < untilMs,
  };
}

/** Throws Invalid, with one sentence, when the times do not fit together. */
export function checkElectionTimes({ leaseDurationMs, renewDeadlineMs, retryPeriodMs }: ElectionTimes): void {
  if (!(retryPeriodMs > 0)) throw refusal(`retryPeriodMs must be above 0, but is ${retryPeriodMs}`);
  if (!(renewDeadlineMs > retryPeriodMs * (1 + JITTER))) {
    throw refusal(
      `renewDeadlineMs (${renewDeadlineMs}) must be more than retryPeriodMs (${retryPeriodMs}) with its jitter`,
    );
  }
  if (!(leaseDurationMs > renewDeadlineMs)) {
    throw refusal(
      `leaseDurationMs (${leaseDurationMs}) must be more than renewDeadlineMs (${renewDeadlineMs})`,
    );
  }
  if (!Number.isInteger(leaseDurationMs / 1000)) {
    throw refusal(`leaseDurationMs (${leaseDurationMs}) must be whole seconds, as the Lease counts them`);
  }
}

function refusal(what: string): KonductorError {
  return new KonductorError("Invalid", `leader election: ${what}`);
}
