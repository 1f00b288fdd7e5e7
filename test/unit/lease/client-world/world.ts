/**
 * A small world of clients, without pods, in which the rules have to keep their promises. It knows the truth: what runs. It breaks
 * (throws {@link Broken}) as soon as
 * - C1: two clients run at once;
 * - C2: a fencing token is not greater than all before it;
 * - C3: after everything has come to rest, a client that waits has not run, or a request is left over;
 * - C4: a hold whose client was killed ends before its deadline, or much later than it must;
 * - C5: decisions go in circles.
 *
 * Left out: clients that are frozen while what they started runs on; an admin who takes the Lease from a client that runs; calls
 * that overtake each other; users who delete requests that are not theirs.
 */
import type { LeaseSpec } from "../../../../src/lease/types.ts";
import type { Clock } from "../../../../src/shared/clock.ts";
import { Broken, START_MS } from "../world/api.ts";
import { type Api, createApi } from "./api.ts";
import { type Arbiter, createArbiter } from "./arbiter.ts";
import {
  type ClientKind,
  type Clients,
  clientsOf,
  createClient,
  mayYetRun,
  type TrueClient,
} from "./client.ts";
import { ALL_GUARDS, type Guards } from "./guards.ts";

const TICK_MS = 250;
export const TTL_MS = 12_000;
export const LONG_TTL_MS = 48_000;

export interface World {
  api: Api;
  clients: readonly TrueClient[];
  /** What they do. */
  they: Clients;
  arbiters: readonly Arbiter[];
  now(): number;
  pass(ms: number): void;
  createLease(): void;
  /** An admin takes the Lease from a client that does not run. */
  force(now: boolean): void;
  check(): void;
}

export interface WorldOptions {
  guards?: Partial<Guards>;
  leaseSpec?: Partial<LeaseSpec>;
  /** By how much the clocks of the two arbiters are wrong. */
  clockErrorsMs?: readonly number[];
}

export function createWorld(
  kinds: readonly ClientKind[],
  { guards: given = {}, leaseSpec = {}, clockErrorsMs = [0, 0] }: WorldOptions = {},
): World {
  const guards = { ...ALL_GUARDS, ...given };
  const clients = kinds.map((kind, index) => createClient(index, kind));
  const forcedTokens = new Set<number>();
  let nowMs = START_MS;
  let highestToken = 0;
  let calls = 0;
  const now = () => nowMs;

  /** C2, and C4's first half. */
  function granted(uid: string, token: number): void {
    if (token <= highestToken) throw new Broken(`C2: token ${token} was granted after ${highestToken}`);
    highestToken = token;
    const early = clients.find((client) => client.isDead && client.uid !== uid && client.deadlineMs > nowMs);
    if (early && !forcedTokens.has(early.hold?.token ?? 0))
      throw new Broken(`C4: ${early.name} could have run for ${early.deadlineMs - nowMs} ms more`);
  }

  const api = createApi({
    now,
    granted,
    webhookNow: () => nowMs + (clockErrorsMs[calls++ % 2] ?? 0),
    spend: () => {
      nowMs += 1;
    },
    unguarded: !guards.guardedWrites,
    ...(!guards.tokensFromBirth && { leaseBirthMs: 1 }),
  });
  const they = clientsOf({ api, now, guards });
  const arbiters = clockErrorsMs.map((errorMs) =>
    createArbiter({ api, guards, clock: clockOf(now, errorMs), defaultTtlMs: TTL_MS }),
  );

  function check(): void {
    for (const client of clients) they.keepTime(client);
    const running = clients.filter(({ state, isDead }) => state === "runs" && !isDead);
    if (running.length > 1)
      throw new Broken(`C1: ${running.map(({ name }) => name).join(" and ")} run at once`);
  }

  const world: World = {
    api,
    clients,
    they,
    arbiters,
    now,
    pass(ms) {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        nowMs += TICK_MS;
        check();
      }
    },
    createLease() {
      api.createLease({ ttlMs: TTL_MS, priority: 0, renewable: true, ...leaseSpec });
    },
    force(isNow) {
      const hold = api.lease()?.status.hold;
      const holder = clients.find(({ uid }) => uid === hold?.ref.uid);
      if (!hold || (holder && mayYetRun(holder, hold.token))) return;
      forcedTokens.add(hold.token);
      api.changeLease({ forced: { token: hold.token, by: "admin", now: isNow } });
    },
    check,
  };
  world.createLease();
  return world;
}

/** A machine's clock, wrong by so much, and with a monotonic clock of its own. */
function clockOf(now: () => number, errorMs: number): Clock {
  return {
    nowMs: () => now() + errorMs,
    monotonicMs: () => now() - START_MS + 1_000,
    after: () => () => undefined,
    sleep: () => Promise.resolve(),
  };
}
