import type { ResponseInfo } from "../kube/api.ts";
import type { Clock } from "../shared/clock.ts";

/**
 * The API server's wall clock, from the Date header of its answers: the client's own may be an hour off. It is behind by up to a
 * second, since the header has whole ones. Before the first answer it is the client's own.
 */
export interface ServerClock {
  /** Learns from an answer: an `onResponse`. */
  observe(info: ResponseInfo): void;
  nowMs(): number;
}

export function createServerClock(clock: Clock): ServerClock {
  let seen: { dateMs: number; atMs: number } | undefined;
  return {
    observe({ serverDateMs }) {
      if (serverDateMs !== undefined) seen = { dateMs: serverDateMs, atMs: clock.monotonicMs() };
    },
    nowMs: () => (seen ? Math.round(seen.dateMs + clock.monotonicMs() - seen.atMs) : clock.nowMs()),
  };
}
