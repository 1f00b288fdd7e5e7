/**
 * Traces of holds, sent to a receiver of OTLP. Nothing of it exists while traces are off. The other rooms name what they tell, and know
 * nothing of traces; nobody waits for them, and nothing depends on them.
 */
import type { WaitOutcome } from "../controller/arbiter-recorder.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { AdmissionAnswer } from "../server/admission/plugin.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
import { spansOfAdmission, spansOfChange, spansOfWait } from "./hold-spans.ts";
import { newTraceParent } from "./ids.ts";
import { createSender } from "./sender.ts";
import { createSpanQueue, type SpanFate } from "./span-queue.ts";

/** What `konductor serve` is told of traces. */
export interface TracingConfig {
  /** The base URL of a receiver of OTLP over HTTP. */
  endpoint: string;
  /** The share of traces that are recorded, of those that konductor begins: from 0 to 1. */
  ratio: number;
}

export interface TracingOptions extends TracingConfig {
  /** This replica's name. */
  instance: string;
  version: string;
  /** Told of the fate of every span. */
  recorder: (fate: SpanFate, count: number) => void;
  clock: Pick<Clock, "nowMs" | "after">;
  logger: Logger;
}

export interface Tracing {
  /** For admission: the beginning of a trace. */
  newTraceParent(): string;
  onAdmissionAnswered(answer: AdmissionAnswer): void;
  /** `after` has replaced `before`, by this replica's write. */
  onChange(before: Lease, after: Lease): void;
  onWaited(outcome: WaitOutcome, waitedMs: number, request: LeaseRequest): void;
  /** Sends what waits, if the receiver takes it now. */
  flush(): Promise<void>;
  /** Ends the connection. */
  close(): Promise<void>;
}

export function createTracing({
  endpoint,
  ratio,
  instance,
  version,
  recorder,
  clock,
  logger,
}: TracingOptions): Tracing {
  const resource = {
    "service.name": "konductor",
    "service.version": version,
    "service.instance.id": instance,
  };
  const sender = createSender(endpoint, { resource, version });
  const queue = createSpanQueue({ sender, recorder, clock, logger });
  return {
    newTraceParent: () => newTraceParent(ratio),
    onAdmissionAnswered({ traced, tookMs }) {
      if (traced) queue.add(spansOfAdmission(traced, tookMs, clock.nowMs()));
    },
    onChange: (before, after) => queue.add(spansOfChange(before, after, clock.nowMs())),
    onWaited: (outcome, waitedMs, request) => queue.add(spansOfWait(outcome, waitedMs, request)),
    flush: queue.flush,
    close: sender.close,
  };
}
