import { setTimeout as sleep } from "node:timers/promises";
import { describeError } from "../../src/shared/errors.ts";

export interface Condition {
  /** Completes the sentence "waited 30 s for …". */
  readonly what: string;
  readonly withinMs: number;
  /** By default short at first, and longer the longer the wait takes: many conditions are waited for side by side. */
  readonly everyMs?: number;
  /** A rejection counts as "not yet" and becomes the cause of the timeout. */
  holds(): Promise<boolean>;
  /** Called between probes; throws if the condition can no longer come true. */
  abort?(): void | Promise<void>;
}

/** Returns once the condition holds. Throws if the time is over or `abort` throws. */
export async function waitFor(condition: Condition): Promise<void> {
  const beganMs = performance.now();
  const deadlineMs = beganMs + condition.withinMs;
  let cause: unknown;
  while (performance.now() < deadlineMs) {
    try {
      if (await condition.holds()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await condition.abort?.();
    await sleep(condition.everyMs ?? pauseMs(performance.now() - beganMs));
  }
  const why = cause === undefined ? "" : `: ${describeError(cause)}`;
  throw new Error(`waited ${condition.withinMs / 1000} s for ${condition.what}${why}`, { cause });
}

function pauseMs(waitedMs: number): number {
  return Math.min(Math.max(waitedMs / 10, 50), 500);
}
