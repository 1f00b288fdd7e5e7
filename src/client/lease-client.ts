/**
 * The protocol of a client that holds kleases without being a pod: koncli's, and every Node program's.
 *
 * It asks by a LeaseRequest and reads the answer from the klease's status, the only source of truth. It guarantees:
 * - wherever the client dies, it leaves nothing but a LeaseRequest, which stops waiting by itself; a grant that nobody confirms is taken
 *   back after 10 s;
 * - waiting and holding costs the API server no polling, only watches;
 * - the client's wall clock is never trusted: durations are measured on the monotonic clock, and points in time are the API server's.
 *
 * Limit: a process that is frozen, or a caller that goes on after being told of a loss, may run beside the next holder; the fencing token
 * is the remedy.
 */
import type { KubeClient } from "../kube/api.ts";
import { createServerClock } from "../kube/server-clock.ts";
import { type Clock, systemClock } from "../shared/clock.ts";
import { acquire } from "./acquire-for-client.ts";
import { awakeClock } from "./awake-clock.ts";
import { askUser, type ClientContext } from "./client-context.ts";
import { forceRelease } from "./force-release.ts";
import { forget } from "./forget.ts";
import { keepHold } from "./keep-hold.ts";
import { release } from "./release-for-client.ts";
import { renew } from "./renew-for-client.ts";
import type { LeaseClient } from "./types.ts";

export interface LeaseClientOptions {
  client: KubeClient;
  namespace: string;
  /** Default: the machine's, which counts suspended time. */
  clock?: Clock;
  /** Source of jitter in [0, 1). */
  random?: () => number;
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
    forget: (options) => forget(context, options),
    keep: (hold, options) => keepHold(context, hold, options),
  };
}
