import { exponentialBackoff } from "../shared/backoff.ts";
import type { ClientContext } from "./client-context.ts";
import { isTransient } from "./sentences.ts";

const RETRY = { firstMs: 100, maxMs: 2_000 };

/**
 * The result of `call`, which is made again while it fails for a reason that may pass: until `forMs` are over, and then it throws the last error,
 * or until `signal` aborts. Without either it goes on for ever.
 */
export async function persist<T>(
  { clock, random }: Pick<ClientContext, "clock" | "random">,
  call: () => Promise<T>,
  { forMs = Number.POSITIVE_INFINITY, signal }: { forMs?: number; signal?: AbortSignal | undefined },
): Promise<T> {
  const backoff = exponentialBackoff({ ...RETRY, random });
  const endMs = clock.monotonicMs() + forMs;
  for (let failures = 0; ; ) {
    try {
      return await call();
    } catch (error) {
      const leftMs = endMs - clock.monotonicMs();
      if (!isTransient(error) || leftMs <= 0) throw error;
      const delayMs = Math.max(backoff(failures++), error.retryAfterMs ?? 0);
      await clock.sleep(Math.min(delayMs, leftMs), signal);
    }
  }
}
