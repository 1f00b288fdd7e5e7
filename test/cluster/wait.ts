import { setTimeout as sleep } from "node:timers/promises";

export interface Condition {
  /** Completes the sentence "waited 30 s for …". */
  readonly what: string;
  readonly withinMs: number;
  readonly everyMs?: number;
  /** A rejection counts as "not yet" and becomes the cause of the timeout. */
  holds(): Promise<boolean>;
  /** Called between probes; throws when the condition can no longer come true. */
  abort?(): void | Promise<void>;
}

/** Returns when the condition holds. Throws when its time is over or `abort` throws. */
export async function waitFor(condition: Condition): Promise<void> {
  const deadlineMs = performance.now() + condition.withinMs;
  let cause: unknown;
  while (performance.now() < deadlineMs) {
    try {
      if (await condition.holds()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await condition.abort?.();
    await sleep(condition.everyMs ?? 100);
  }
  throw new Error(`waited ${condition.withinMs / 1000} s for ${condition.what}`, { cause });
}
