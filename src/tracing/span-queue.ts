/**
 * Where spans wait until they are sent: of bounded size, never waited for by anybody. A receiver that is slow, silent or gone costs spans,
 * which are counted, and nothing else.
 */
import { exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { Sender } from "./sender.ts";
import type { Span } from "./span.ts";

/** What became of spans. Refused: the receiver did not take them. Dropped: there was no room. */
export type SpanFate = "sent" | "refused" | "dropped";

export interface SpanQueue {
  add(spans: readonly Span[]): void;
  /** Resolves when every span has been sent, or when the receiver does not take them now. */
  flush(): Promise<void>;
}

/** As OpenTelemetry's own batch processors do by default. */
const MOST_SPANS = 2_048;
const BATCH_SPANS = 512;
const SEND_EVERY_MS = 5_000;
/** One namespace leaves room for the others. */
const MOST_OF_NAMESPACE = MOST_SPANS / 2;
const RETRY = { firstMs: SEND_EVERY_MS, maxMs: 60_000 };

export function createSpanQueue({
  sender,
  recorder,
  clock,
  logger,
}: {
  sender: Pick<Sender, "send">;
  /** Told of the fate of every span. */
  recorder: (fate: SpanFate, count: number) => void;
  clock: Pick<Clock, "after">;
  logger: Logger;
}): SpanQueue {
  const waiting: Span[] = [];
  const byNamespace = new Map<string, number>();
  const backoff = exponentialBackoff(RETRY);
  let sending: Promise<void> | undefined;
  let stopTimer: (() => void) | undefined;
  let failures = 0;
  let droppedSinceFailure = 0;

  function count(namespace: string, change: number): void {
    const left = (byNamespace.get(namespace) ?? 0) + change;
    if (left > 0) byNamespace.set(namespace, left);
    else byNamespace.delete(namespace);
  }

  function schedule(delayMs: number): void {
    stopTimer?.();
    stopTimer = clock.after(delayMs, () => void drain());
  }

  /** Sends batch after batch, until none is left or one is not taken. Never rejects. */
  function drain(): Promise<void> {
    stopTimer?.();
    stopTimer = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
      if (waiting.length > 0) schedule(failures > 0 ? backoff(failures - 1) : SEND_EVERY_MS);
    });
    return sending;
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_SPANS);
      try {
        const refused = await sender.send(batch);
        recorder("sent", batch.length - refused);
        recorder("refused", refused);
        recovered();
      } catch (error) {
        failed(error);
        if (!hasCode(error, "Invalid")) return;
        recorder("refused", batch.length);
      }
      for (const { namespace } of waiting.splice(0, batch.length)) count(namespace, -1);
    }
  }

  function failed(error: unknown): void {
    failures++;
    if (failures === 1)
      logger.warn(
        { error: describeError(error) },
        "traces are not taken: spans wait, and are dropped when there is no more room; see --tracing-endpoint",
      );
  }

  function recovered(): void {
    if (failures > 0) logger.info({ droppedSpans: droppedSinceFailure }, "traces are taken again");
    failures = 0;
    droppedSinceFailure = 0;
  }

  return {
    add(spans) {
      for (const span of spans) {
        const { namespace } = span;
        if (waiting.length >= MOST_SPANS || (byNamespace.get(namespace) ?? 0) >= MOST_OF_NAMESPACE) {
          recorder("dropped", 1);
          droppedSinceFailure++;
          continue;
        }
        waiting.push(span);
        count(namespace, 1);
      }
      if (sending || waiting.length === 0) return;
      if (waiting.length >= BATCH_SPANS && failures === 0) void drain();
      else if (!stopTimer) schedule(SEND_EVERY_MS);
    },
    async flush() {
      // What came while a batch was on its way needs another turn.
      await sending;
      await drain();
    },
  };
}
