/** What a client of kleases asks for and gets: see lease-client.ts. */
import type { DoneWork, Hold, Lease, LeaseRequest } from "../lease/types.ts";

/** Which klease, under which name. */
export interface NamedHolder {
  lease: string;
  holder: string;
  signal?: AbortSignal | undefined;
}

export interface Wish extends NamedHolder {
  /**
   * Whether to take over a hold or a place in the queue that the same user has already under this name. Such a hold is renewed. Otherwise
   * this is refused with `Held`: another process of that name may still be at work.
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
  /** The key of the work, which is not done again once it has succeeded under the klease. */
  once?: string | undefined;
  /** Creates a klease that does not exist, with the ttl, or 10 minutes. */
  create?: boolean | undefined;
  /** Called with the klease before anything is requested; what it throws ends the attempt. */
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
  /** Rises with every hold: a resource that refuses tokens lower than the highest it has seen is safe from a late holder. */
  readonly token: number;
  readonly ttlMs: number;
  /** When it ends unless it is renewed, by the API server's clock: for people. */
  readonly expiresMs: number;
  /** The LeaseRequest that stands for it. */
  readonly request: { readonly name: string; readonly uid: string };
  /**
   * When the last renewal that konductor took into account was sent, by the client's monotonic clock; the ttl counts from here. undefined
   * for an earlier hold that was found again and is not renewable: it lasts until {@link expiresMs}.
   */
  readonly sentMs: number | undefined;
}

export interface LeaseClient {
  readonly namespace: string;
  /** The API server's time, as of its last answer. */
  nowMs(): number;
  /**
   * Acquires a klease, or waits for it. Throws `AlreadyDone` (with `once`: the work has been done, by whom and when), `Held`, `QueueFull`,
   * `TimedOut`, `Withdrawn` (`signal` aborted, or somebody deleted the request),
   * `NotFound` (no such klease), `NotReady` (konductor did not answer), and what the API server refuses. Nothing is left behind then; only a request
   * that the API server will not delete within some seconds ends by itself, at `waitUntil`.
   */
  acquire(wish: Wish): Promise<ClientHold>;
  /** Renews a hold and resolves when that is done. Throws `NotHolder`, `NotRenewable`, `Revoked`, `Lost`, `NotReady`. */
  renew(holder: NamedHolder & { timeoutMs?: number }): Promise<ClientHold>;
  /** Ends a hold. Throws `NotHolder`, and then has changed nothing. */
  release(holder: NamedHolder): Promise<Released>;
  /**
   * Takes a klease from its holder: from the one that `token` names, or else from the one that holds when this is called. Throws `Conflict`
   * if that hold is over, and then has changed nothing.
   */
  forceRelease(options: ForcedReleaseOptions): Promise<ForceReleased>;
  /**
   * Has the klease forget that the work `key` is done. Resolves with what it forgot; undefined where it remembers no such work. Throws
   * `Conflict` (the work was done once more meanwhile; that is not forgotten), `Forbidden`, `NotFound`, `NotReady`.
   */
  forget(options: { lease: string; key: string }): Promise<DoneWork | undefined>;
  /** Renews `hold` in the background until it is released or lost. */
  keep(hold: ClientHold, options: KeepOptions): KeptHold;
}

export interface ForcedReleaseOptions {
  lease: string;
  /** Without waiting for proof that the holder has ended. */
  now: boolean;
  /** Only the hold with this token; without it the one that is read first. */
  token?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface KeepOptions {
  /** How long before the end of its ttl the hold counts as lost. */
  reserveMs: number;
  /** Called when renewals fail and are tried again, at most once in 30 s. */
  onTrouble?: ((message: string) => void) | undefined;
}

export interface KeptHold {
  /** Aborts with a KonductorError, `Lost` or `Revoked`, when the hold is lost. */
  readonly signal: AbortSignal;
  readonly token: number;
  /** When the hold ends at the earliest unless it is renewed, by this machine's time of day: for programs that run beside this one. */
  readonly expiresMs: number;
  /**
   * Stops renewing and ends the hold. Must be called whatever happened. `hasSucceeded`: the work, which was asked for with `once`, has
   * succeeded, and is noted as done. Throws `Lost` where that could not be noted before the hold was over.
   */
  release(options?: { hasSucceeded?: boolean }): Promise<Released>;
}

export interface Released {
  /** Whether the klease shows the release already. If not, konductor has not answered yet, and ends the hold when it does. */
  isOver: boolean;
}

/** `free`: nobody held it. `over`: it has ended. `awaitingProof`: it ends when the holder's containers have. `unanswered`: not known. */
export interface ForceReleased {
  state: "free" | "over" | "awaitingProof" | "unanswered";
  /** Whose hold it was. */
  hold?: Hold;
}
