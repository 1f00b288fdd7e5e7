/**
 * Keys to be worked on, after client-go's workqueue.
 *
 * Guarantees: a key waits at most once however often it is added; two workers never have the same key, not even those of two runs
 * that overlap; a key added while it is worked on is worked on again afterwards. Keys of one flow are taken in the order they came.
 * Flows take turns: before a flow's next key each other flow has one taken, however many it has.
 * Limit: nothing is kept beyond the process.
 */
import { type Backoff, exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";

export interface WorkQueueOptions {
  clock: Clock;
  /** Between a key's tries; by default 50 ms doubling up to 10 s. */
  backoff?: Backoff;
  /** The flow of a key; by default all are of one flow. */
  flowOf?: (key: string) => string;
  /** Told of what a handler throws; the key is then tried again after its backoff. */
  onError?: (key: string, error: unknown) => void;
}

export interface WorkQueue {
  /** How many keys wait, without those that are worked on or delayed. */
  readonly size: number;
  add(key: string): void;
  /** Adds the key after a delay. Of several delays for one key the one that ends first counts. */
  addAfter(key: string, delayMs: number): void;
  /** Adds the key after the delay that its number of tries since the last {@link forget} calls for. */
  retry(key: string): void;
  /** The next {@link retry} of the key waits the shortest time again. */
  forget(key: string): void;
  /**
   * Has up to `workers` handlers at work until `signal` aborts. Slow handlers are not counted, so that keys whose calls are not answered
   * leave room for the others. Resolves when the last handler has ended. Keys that still wait stay for the next run.
   */
  run(workers: number, handler: (key: string) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** A handler that takes longer has its worker go on with the next key. */
const SLOW_AFTER_MS = 2_000;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, backoff = exponentialBackoff({ firstMs: 50, maxMs: 10_000 }), onError } = options;
  const { flowOf = () => "" } = options;
  /** By flow; the one whose turn it is comes first. */
  const waiting = new Map<string, Set<string>>();
  const working = new Set<string>();
  /** Added while worked on. */
  const again = new Set<string>();
  const delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  const tries = new Map<string, number>();
  const idle = new Set<() => void>();
  const atWork = new Set<Promise<void>>();

  function add(key: string): void {
    if (working.has(key)) {
      again.add(key);
      return;
    }
    const flow = flowOf(key);
    waiting.set(flow, (waiting.get(flow) ?? new Set()).add(key));
    const [wake] = idle;
    wake?.();
  }

  function takeNext(): string | undefined {
    for (const [flow, keys] of waiting) {
      waiting.delete(flow);
      const [key = ""] = keys;
      keys.delete(key);
      if (keys.size > 0) waiting.set(flow, keys);
      return key;
    }
    return undefined;
  }

  function addAfter(key: string, delayMs: number): void {
    const dueMs = clock.monotonicMs() + delayMs;
    const planned = delayed.get(key);
    if (planned && planned.dueMs <= dueMs) return;
    planned?.cancel();
    const cancel = clock.after(delayMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { dueMs, cancel });
  }

  function retry(key: string): void {
    const attempt = tries.get(key) ?? 0;
    tries.set(key, attempt + 1);
    addAfter(key, backoff(attempt));
  }

  function woken(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        idle.delete(wake);
        resolve();
      };
      idle.add(wake);
    });
  }

  async function handle(key: string, handler: (key: string) => Promise<void>): Promise<void> {
    working.add(key);
    try {
      await handler(key);
    } catch (error) {
      onError?.(key, error);
      retry(key);
    } finally {
      working.delete(key);
      if (again.delete(key)) add(key);
    }
  }

  async function worker(handler: (key: string) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = takeNext();
      if (key === undefined) await woken();
      else await unlessSlow(handle(key, handler));
    }
  }

  async function unlessSlow(work: Promise<void>): Promise<void> {
    const slow = Promise.withResolvers<void>();
    const stop = clock.after(SLOW_AFTER_MS, slow.resolve);
    atWork.add(work);
    const end = work.finally(() => atWork.delete(work));
    await Promise.race([end, slow.promise]);
    stop();
  }

  return {
    get size() {
      return waiting.values().reduce((sum, keys) => sum + keys.size, 0);
    },
    add,
    addAfter,
    retry,
    forget: (key) => void tries.delete(key),
    async run(workers, handler, signal) {
      const wakeAll = () => {
        for (const wake of idle) wake();
      };
      signal.addEventListener("abort", wakeAll, { once: true });
      await Promise.all(Array.from({ length: workers }, () => worker(handler, signal)));
      await Promise.all(atWork);
      signal.removeEventListener("abort", wakeAll);
    },
  };
}
