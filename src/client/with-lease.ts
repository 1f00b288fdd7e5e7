import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { KubeClient } from "../kube/api.ts";
import { hasCode } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import { VERSION_TEXT } from "../shared/version.ts";
import { checkWish } from "./check-wish.ts";
import type { Cluster, ClusterFlags } from "./cluster.ts";
import { connect } from "./connect.ts";
import { createLeaseClient } from "./lease-client.ts";
import { runUnderLease, type WorkHold } from "./run-under-lease.ts";
import type { Waiting } from "./types.ts";

export interface WithLeaseOptions extends ClusterFlags {
  /** The name of the klease. */
  lease: string;
  /** What others see as its holder, up to 253 characters. Default: {@link processHolder}. */
  holder?: string;
  /** How long the hold lasts without a renewal. Default: the klease's. */
  ttlMs?: number;
  /** Higher goes first. Default: the klease's. */
  priority?: number;
  /** How long to wait for it. 0, the default: one try. Infinity: for ever. */
  timeoutMs?: number;
  /**
   * The key of the work, up to 63 characters of a label's value. Once work with this key has succeeded under the klease, `work` is not called
   * again, by any process: `withLease` then resolves with undefined. `work` has succeeded when its promise resolves and `signal` has
   * not aborted.
   */
  once?: string;
  /** Called where `work` is not called, because it has been done: a sentence that says by whom and when. */
  onAlreadyDone?: (message: string) => void;
  /** Creates a klease that does not exist, with `ttlMs`, or 10 minutes. */
  create?: boolean;
  /** How long the work needs to stop after its signal has aborted. Default: 10 s, or a third of the ttl if that is shorter. */
  graceMs?: number;
  /** Ends waiting. Once the klease is held, it aborts the work's signal. */
  signal?: AbortSignal;
  /** Called when waiting begins, and whenever the klease has changed meanwhile. */
  onWaiting?: (waiting: Waiting) => void;
  /** Called for trouble that is not worth failing for: renewals that are tried again, a release that failed. */
  onTrouble?: (message: string) => void;
  /** Used in place of a kubeconfig; `namespace` then defaults to `default`. It is not closed. */
  client?: KubeClient;
}

/** The hold under which work runs. */
export interface LeaseWork {
  /** Aborts when the hold is lost, with a KonductorError (`Lost`, `Revoked`): stop within `graceMs`. */
  readonly signal: AbortSignal;
  /** Rises with every hold: a resource that refuses tokens lower than the highest it has seen is safe from a late holder. */
  readonly token: number;
  /** When the hold ends at the earliest unless it is renewed, by this machine's own time of day; renewals move it. */
  readonly expires: Date;
  readonly lease: string;
  readonly holder: string;
  readonly graceMs: number;
}

/**
 * Runs `work` while this process holds a klease, and resolves with its result: `koncli lease exec` for Node programs.
 *
 * The hold is renewed in the background and released when `work` has settled. When the hold is lost, the signal aborts early enough for
 * `work` to stop within `graceMs` before anybody else is granted; once `work` has settled, this rejects with the loss. Rejects with `Held`
 * where somebody has the klease and `timeoutMs` is 0, or where the holder's name is in use; with `QueueFull` where too many wait;
 * with `TimedOut` or `Withdrawn` where waiting ended; and with `NotFound`, `NotReady`, `Unreachable`, `Forbidden` and their like where the klease cannot be asked for. Nothing is left
 * behind then.
 *
 * Limit: work that blocks the event loop, or goes on after the signal or after it has settled (a promise that it did not await, a process
 * that it started), may run beside the next holder; the token is the remedy.
 */
export async function withLease<T>(
  options: WithLeaseOptions & { once?: never },
  work: (hold: LeaseWork) => T | PromiseLike<T>,
): Promise<T>;
/** The same for work that is done once: resolves with undefined where it has been done. */
export async function withLease<T>(
  options: WithLeaseOptions,
  work: (hold: LeaseWork) => T | PromiseLike<T>,
): Promise<T | undefined>;
export async function withLease<T>(
  options: WithLeaseOptions,
  work: (hold: LeaseWork) => T | PromiseLike<T>,
): Promise<T | undefined> {
  const { namespace, kubeconfig, context, client: given, signal: stop, onAlreadyDone, ...rest } = options;
  const wish = { holder: processHolder(), timeoutMs: 0, ...defined(rest), signal: stop };
  checkWish(wish);
  const cluster = given
    ? { client: given, namespace: namespace ?? "default" }
    : connectProgram({ namespace, kubeconfig, context });
  try {
    return await runUnderLease(
      createLeaseClient(cluster),
      wish,
      async (hold) => work(workOf(hold, stop)),
      () => !stop?.aborted,
    );
  } catch (error) {
    if (!hasCode(error, "AlreadyDone")) throw error;
    onAlreadyDone?.(error.message);
    return undefined;
  } finally {
    if (!given) await cluster.client.close();
  }
}

/** The cluster that kubectl would use. Close its `client` at the end. */
export function connectProgram(flags: ClusterFlags = {}): Cluster {
  return connect(flags, { userAgent: `konductor-node/${VERSION_TEXT}`, env: process.env });
}

/** A name unique to this process, which says where it runs: two processes on one host take turns like all others. */
export function processHolder(host = hostname()): string {
  return `${host.slice(0, 200)}-${randomBytes(4).toString("hex")}`;
}

function workOf(hold: WorkHold, stop: AbortSignal | undefined): LeaseWork {
  const { lease, holder, token, graceMs } = hold;
  return {
    ...{ lease, holder, token, graceMs },
    signal: stop ? AbortSignal.any([hold.signal, stop]) : hold.signal,
    get expires() {
      return new Date(hold.expiresMs);
    },
  };
}
