/**
 * The protocol of a client that holds kleases without being a pod: koncli's, and every Node program's.
 *
 * It asks by a LeaseRequest and reads the answer from the klease's status, which is the only truth. What it guarantees:
 * - wherever it dies, nothing but a LeaseRequest is left, which stops waiting by itself, and of which a grant that nobody confirms is
 *   taken back within 10 s;
 * - waiting and holding costs the API server no polling, only watches;
 * - its own wall clock is never trusted: durations are measured on the monotonic clock, and points in time are the API server's.
 *
 * Limit: a process that is frozen, or a caller that goes on after it was told of a loss, may run beside the next holder; the fencing
 * token is the remedy.
 */
import type { KubeClient } from "../kube/api.ts";
import { createServerClock } from "../kube/server-clock.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import { type Clock, systemClock } from "../shared/clock.ts";
import { acquire } from "./acquire.ts";
import { awakeClock } from "./awake-clock.ts";
import { askUser, type ClientContext } from "./context.ts";
import { type ForcedRelease, forceRelease } from "./force-release.ts";
import { type KeepOptions, type KeptHold, keepHold } from "./keep-hold.ts";
import { type Released, release } from "./release.ts";
import { renew } from "./renew.ts";

export interface LeaseClientOptions {
  client: KubeClient;
  namespace: string;
  /** Default: the machine's, which counts suspended time. */
  clock?: Clock;
  /** Source of jitter in [0, 1). */
  random?: () => number;
}

/** Which klease, under which name. */
export interface HolderRef {
  lease: string;
  holder: string;
  signal?: AbortSignal | undefined;
}

export interface Wish extends HolderRef {
  /**
   * Whether it takes over what this holder has already by the same user, a hold or a place in the queue. Otherwise that is refused with
   * `Held`: it may be another process of the same name, which is still at work.
   */
  join: boolean;
  /**
   * The uid of the pod in which this process runs: what was acquired in it before, under the same name, is its own. Outside of pods
   * nothing tells two processes of one name apart.
   */
  pod?: string | undefined;
  /** Default: the klease's. */
  ttlMs?: number | undefined;
  /** Higher goes first. Default: the klease's. */
  priority?: number | undefined;
  /** 0: one try, answered at once. Infinity: for ever. */
  timeoutMs: number;
  /** Creates a klease that does not exist, with the ttl, or 10 minutes. */
  create?: boolean | undefined;
  /** Called with the klease before anything is asked for; what it throws ends it. */
  onLease?: ((lease: Lease) => void) | undefined;
  /** Called when waiting begins, and whenever the klease has changed meanwhile. */
  onWaiting?: ((waiting: Waiting) => void) | undefined;
}

export interface Waiting {
  /** undefined: somebody has deleted it. */
  lease: Lease | undefined;
  /** Our own. */
  request: LeaseRequest;
}

/** A hold of this client. It lasts until its ttl is over, unless it is renewed. */
export interface ClientHold {
  readonly lease: string;
  readonly holder: string;
  /** Higher with every hold: a resource that refuses lower ones than it has seen is safe from a late holder. */
  readonly token: number;
  readonly ttlMs: number;
  /** When it ends unless it is renewed, by the API server's clock: for people. */
  readonly expiresMs: number;
  /** The LeaseRequest that stands for it. */
  readonly request: { readonly name: string; readonly uid: string };
  /**
   * The ttl counts from here, by the client's monotonic clock: when the last renewal was sent that konductor has taken into account.
   * undefined where the hold was there before, and nothing was renewed.
   */
  readonly sentMs: number | undefined;
}

export interface LeaseClient {
  readonly namespace: string;
  /** The API server's time, as of its last answer. */
  nowMs(): number;
  /**
   * Acquires a klease, or waits for it. Throws `Held`, `TimedOut`, `Withdrawn` (`signal` aborted, or somebody deleted the request),
   * `NotFound` (no such klease), `NotReady` (konductor did not answer), and what the API server refuses. Nothing is left behind then.
   */
  acquire(wish: Wish): Promise<ClientHold>;
  /** Renews a hold and resolves when that is done. Throws `NotHolder`, `NotRenewable`, `Revoked`, `Lost`, `NotReady`. */
  renew(holder: HolderRef & { timeoutMs?: number }): Promise<ClientHold>;
  /** Ends a hold. Throws `NotHolder`, and then has changed nothing. */
  release(holder: HolderRef): Promise<Released>;
  /** Takes a klease from its holder, whoever that is. `now`: without waiting for proof that it has ended. */
  forceRelease(options: {
    lease: string;
    now: boolean;
    signal?: AbortSignal | undefined;
  }): Promise<ForcedRelease>;
  /** Renews `hold` in the background until it is released or lost. */
  keep(hold: ClientHold, options: KeepOptions): KeptHold;
}

export function createLeaseClient({
  client,
  namespace,
  clock = awakeClock(systemClock()),
  random = Math.random,
}: LeaseClientOptions): LeaseClient {
  const server = createServerClock(clock);
  const context: ClientContext = { client, namespace, clock, server, random, user: askUser(client) };
  return {
    namespace,
    nowMs: server.nowMs,
    acquire: (wish) => acquire(context, wish),
    renew: (options) => renew(context, options),
    release: (options) => release(context, options),
    forceRelease: (options) => forceRelease(context, options),
    keep: (hold, options) => keepHold(context, hold, options),
  };
}
