import { exponentialBackoff } from "../../shared/backoff.ts";
import { KonductorError } from "../../shared/errors.ts";
import type { Context } from "../gate-context.ts";
import type { CallOptions } from "./client.ts";

export interface Tries {
  /** How long one try may take. */
  tryMs: number;
  /** The longest time from one try to the next, while there is no answer. */
  pauseMs(): number;
  /** Whether the error is konductor's decision, which another try would only repeat. */
  isFinal(error: KonductorError): boolean;
  onTrouble(error: KonductorError): void;
}

/** If one of two replicas is unhealthy and each try meets either by chance, so many in a row meet only that one once in 65,536 times. */
const ENOUGH_TRIES = 16;
const SHORTEST_PAUSE_MS = 100;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const MOST_AT_ONCE = 8;
/** A server may ask for this many pauses at most: more could cost the caller its hold or its grant. */
const LONGEST_ASKED_PAUSES = 4;

/** The longest pause with which enough tries fit into `leftMs`. */
export function pauseWithin(leftMs: number): number {
  return Math.max(SHORTEST_PAUSE_MS, leftMs / ENOUGH_TRIES);
}

/**
 * Makes one call in as many tries as it takes. Resolves with the first answer and when its try was sent, by the boot clock. A silent try
 * goes on beside the next one: a replica that hangs and a cluster that is slow look alike. Rejects with the first final error, with
 * anything that is no KonductorError, or with the signal's reason.
 *
 * The call must tolerate being made twice at once.
 */
export async function untilAnswered<T>(
  { clock, bootMs, route, random }: Pick<Context, "clock" | "bootMs" | "route" | "random">,
  call: (options: CallOptions) => Promise<T>,
  { tryMs, pauseMs, isFinal, onTrouble }: Tries,
  signal?: AbortSignal,
): Promise<{ answer: T; sentMs: number }> {
  type TryEnd = { of: number } & ({ answer: T; sentMs: number } | { error: unknown });
  const backoff = exponentialBackoff({ firstMs: FIRST_PAUSE_MS, maxMs: LONGEST_PAUSE_MS, random });
  const underWay = new Map<number, Promise<TryEnd>>();
  let last = 0;
  const over = new AbortController();
  const options = { totalMs: tryMs, signal: anyOf(over.signal, signal) };

  function begin(): void {
    const of = ++last;
    const sentMs = bootMs();
    const outcome = call(options).then(
      (answer): TryEnd => ({ of, answer, sentMs }),
      (error: unknown): TryEnd => ({ of, error }),
    );
    underWay.set(of, outcome);
  }

  /** Resolves with undefined when `delayMs` are over before a try has ended. */
  async function endOfTry(delayMs: number): Promise<TryEnd | undefined> {
    const raced = new AbortController();
    const pause = clock.sleep(delayMs, anyOf(raced.signal, signal)).catch(() => signal?.throwIfAborted());
    try {
      return await Promise.race([...underWay.values(), pause.then(() => undefined)]);
    } finally {
      raced.abort();
    }
  }

  try {
    begin();
    for (let failures = 0, delayMs = pauseMs(); ; ) {
      const ended = await endOfTry(delayMs);
      if (ended === undefined) {
        if (underWay.has(last)) route.failed(route.current());
        begin();
        delayMs = underWay.size < MOST_AT_ONCE ? pauseMs() : Number.POSITIVE_INFINITY;
        continue;
      }
      underWay.delete(ended.of);
      if ("answer" in ended) return ended;
      const { error } = ended;
      if (signal?.aborted || !(error instanceof KonductorError) || isFinal(error)) throw error;
      onTrouble(error);
      const { retryAfterMs } = error;
      delayMs =
        retryAfterMs === undefined
          ? Math.min(backoff(failures++), pauseMs())
          : Math.min(retryAfterMs, pauseMs() * LONGEST_ASKED_PAUSES);
    }
  } finally {
    over.abort();
  }
}

function anyOf(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other ? AbortSignal.any([one, other]) : one;
}
