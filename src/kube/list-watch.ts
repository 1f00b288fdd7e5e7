/**
 * A LIST, then a WATCH that is taken up again where it broke: the loop behind every copy of objects that follows the API server.
 *
 * - A watch that broke is resumed from the last version seen, without a new list, after a bounded backoff with jitter; one that the server
 *   ended by itself is resumed at once, unless it ended as soon as it had begun.
 * - Only a version that is too old for the server (410), or a call of `relist`, leads to a new list.
 */
import { exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";

/** What is listed and watched. */
export interface ListWatchSource {
  /** Resolves with the version from which a watch goes on. */
  list(signal: AbortSignal): Promise<string>;
  /** Resolves when the server has ended the watch; `heard` takes the version of every event. */
  watch(version: string, signal: AbortSignal, heard: (version: string) => void): Promise<void>;
}

export interface ListWatchOptions {
  source: ListWatchSource;
  /** The version of what is known already; without it a list comes first. */
  from?: string | undefined;
  /** Of the pauses after failures. */
  backoff: { firstMs: number; maxMs: number };
  /** A server that asks for a longer pause is asked again sooner: leases run out meanwhile. */
  longestRetryAfterMs: number;
  /** Whether the list that a 410 calls for is taken without a pause. A list of everything is spread instead, since all replicas hear of it at once. */
  listsAtOnce?: boolean;
  clock: Clock;
  random?: (() => number) | undefined;
  /** Called when the server has ended a watch in good order. */
  onEnd?: () => void;
  /** Called with what failed, and after how long it is tried again; what it throws ends the loop. */
  onTrouble(error: unknown, retryInMs: number): void;
}

export interface ListWatch {
  /** Goes on until `signal` aborts, or `onTrouble` throws: rejects with the reason. */
  run(signal: AbortSignal): Promise<never>;
  /** Lists anew, as soon as possible. */
  relist(): void;
}

/** A watch that ends sooner, without an event, is not resumed at once: that would be a busy loop. */
const SHORT_WATCH_MS = 1_000;

export function createListWatch(options: ListWatchOptions): ListWatch {
  const { source, clock, random = Math.random, listsAtOnce = false, onEnd, onTrouble } = options;
  const backoff = exponentialBackoff({ ...options.backoff, random });
  /** Where the next watch begins; undefined: nowhere, a list comes first. */
  let resumeFrom = options.from;
  let isListWanted = false;
  let interrupt = new AbortController();
  let failures = 0;

  async function watch(signal: AbortSignal): Promise<void> {
    const beganMs = clock.monotonicMs();
    let isQuiet = true;
    await source.watch(resumeFrom ?? "", signal, (version) => {
      resumeFrom = version;
      isQuiet = false;
      failures = 0;
    });
    if (isQuiet && clock.monotonicMs() - beganMs <= SHORT_WATCH_MS)
      throw new KonductorError("Unreachable", "the watch ended as soon as it had begun");
    onEnd?.();
  }

  return {
    async run(signal) {
      for (;;) {
        signal.throwIfAborted();
        interrupt = new AbortController();
        const interruptible = AbortSignal.any([signal, interrupt.signal]);
        const listsFirst = resumeFrom === undefined || isListWanted;
        try {
          if (listsFirst) {
            isListWanted = false;
            resumeFrom = await source.list(signal).catch((error: unknown) => {
              isListWanted = true;
              throw error;
            });
          }
          await watch(interruptible);
        } catch (error) {
          if (hasCode(error, "Gone")) {
            resumeFrom = undefined;
            // The server answers again, and a list will help. But a list that was itself too old must not be repeated in a busy loop.
            if (!listsFirst) failures = 0;
          }
          if (interruptible.aborted || (listsAtOnce && hasCode(error, "Gone") && failures++ === 0)) continue;
          const asked = hasCode(error, "TooManyRequests", "Unreachable") ? (error.retryAfterMs ?? 0) : 0;
          const delayMs = Math.max(backoff(failures++), Math.min(asked, options.longestRetryAfterMs));
          onTrouble(error, delayMs);
          await clock.sleep(delayMs, interruptible).catch(() => undefined);
        }
      }
    },
    relist() {
      isListWanted = true;
      interrupt.abort();
    },
  };
}
