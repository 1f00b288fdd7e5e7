/** What is counted when it happens, by the replica that does it: the sum over all replicas counts everything once. */
import { Counter, Histogram, type Registry } from "prom-client";
import type { ArbiterRecorder, WaitOutcome } from "../controller/arbiter-recorder.ts";
import type { CallInfo } from "../kube/api.ts";
import type { EventLoss } from "../kube/events.ts";
import type { EndReason } from "../lease/types.ts";
import type { HoldRecorder } from "../objects/lease-reporter.ts";
import type { AdmissionAnswer } from "../server/admission/plugin.ts";
import type { SpanFate } from "../tracing/span-queue.ts";

/** What the parts of a replica tell. */
export interface Recorded {
  holds: HoldRecorder;
  arbiter: ArbiterRecorder;
  onAdmissionAnswered(answer: AdmissionAnswer): void;
  onKubeCall(call: CallInfo): void;
  onSpans(fate: SpanFate, count: number): void;
  onEventLost(why: EventLoss): void;
}

/** Every value, so that each series is there from the start: `increase()` does not see a counter that begins at 1. */
const END_REASONS = Object.keys({
  Released: true,
  Terminated: true,
  Expired: true,
  NotConfirmed: true,
  Fenced: true,
  Restarted: true,
  Forced: true,
  Suspended: true,
  NotStarted: true,
} satisfies Record<EndReason, true>);
const WAIT_OUTCOMES = Object.keys({
  granted: true,
  refused: true,
  queue_full: true,
  timed_out: true,
  skipped: true,
  already_done: true,
  withdrawn: true,
} satisfies Record<WaitOutcome, true>);
const VERDICTS = Object.keys({
  allowed: true,
  patched: true,
  denied: true,
  error: true,
} satisfies Record<AdmissionAnswer["verdict"], true>);

const SPAN_FATES = Object.keys({
  sent: true,
  refused: true,
  dropped: true,
} satisfies Record<SpanFate, true>);

const EVENT_LOSSES = Object.keys({
  object: true,
  total: true,
  refused: true,
  ended: true,
} satisfies Record<EventLoss, true>);

/** What API servers answer. A proxy may answer anything. */
const KNOWN_CODES: ReadonlySet<number | undefined> = new Set([
  ...[200, 201, 202, 400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 429],
  ...[500, 501, 502, 503, 504],
]);

const LONG_SECONDS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400];
const MARGIN_SECONDS = [0, 1, 2, 5, 10, 20, 60, 120, 300, 600, 3_600];
const HANDOVER_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60];
const ADMISSION_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

const seconds = (ms: number) => ms / 1_000;
/** Times of day that two machines have told may be in the wrong order. A sum that falls would look like a restart of the counter. */
const duration = (ms: number) => Math.max(0, seconds(ms));

export function declareRecorded(registry: Registry): Recorded {
  const registers = [registry];
  const waits = new Histogram({
    name: "konductor_wait_duration_seconds",
    help: "How long LeaseRequests waited, by how their wait ended.",
    labelNames: ["outcome"],
    buckets: LONG_SECONDS,
    registers,
  });
  const holds = new Histogram({
    name: "konductor_hold_duration_seconds",
    help: "How long holds lasted, by the reason for which they ended.",
    labelNames: ["reason"],
    buckets: LONG_SECONDS,
    registers,
  });
  const grants = new Counter({
    name: "konductor_grants_total",
    help: "Holds that began.",
    registers,
  });
  const ended = new Counter({
    name: "konductor_holds_ended_total",
    help: "Holds that ended, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const handovers = new Histogram({
    name: "konductor_handover_duration_seconds",
    help: "From the end of a hold to the answer of the next holder, who waited by then.",
    buckets: HANDOVER_SECONDS,
    registers,
  });
  const margins = new Histogram({
    name: "konductor_renewal_margin_seconds",
    help: "What was left of the ttl when a renewal came; 0 if it was used up.",
    buckets: MARGIN_SECONDS,
    registers,
  });
  const late = new Counter({
    name: "konductor_renewals_late_total",
    help: "Renewals that came after more than two thirds of the ttl.",
    registers,
  });
  const skipped = new Counter({
    name: "konductor_jobs_skipped_total",
    help: "Jobs that were completed without having run.",
    registers,
  });
  const admissions = new Histogram({
    name: "konductor_admission_duration_seconds",
    help: "How long admission took to answer, by the kind of the object and the verdict.",
    labelNames: ["kind", "verdict"],
    buckets: ADMISSION_SECONDS,
    registers,
  });
  const calls = new Counter({
    name: "konductor_kube_requests_total",
    help: "Requests to the API server, by verb and HTTP status; code none: no answer came.",
    labelNames: ["verb", "code"],
    registers,
  });
  const spans = new Counter({
    name: "konductor_trace_spans_total",
    help: "Spans of traces, by what became of them; refused: by the receiver; dropped: there was no room.",
    labelNames: ["fate"],
    registers,
  });
  const lostEvents = new Counter({
    name: "konductor_events_lost_total",
    help: "Kubernetes Events that were dropped, because their object or all together had too many, the API server refused them, or the replica ended.",
    labelNames: ["why"],
    registers,
  });
  for (const fate of SPAN_FATES) spans.inc({ fate }, 0);
  for (const why of EVENT_LOSSES) lostEvents.inc({ why }, 0);
  for (const reason of END_REASONS) {
    ended.inc({ reason }, 0);
    holds.zero({ reason });
  }
  for (const outcome of WAIT_OUTCOMES) waits.zero({ outcome });
  for (const verdict of VERDICTS) admissions.zero({ kind: "Pod", verdict });
  for (const kind of ["Job", OTHER]) admissions.zero({ kind, verdict: "error" });

  return {
    holds: {
      granted: () => grants.inc(),
      ended({ reason, acquiredMs, endedMs }) {
        ended.inc({ reason });
        holds.observe({ reason }, duration(endedMs - acquiredMs));
      },
      renewed({ leftMs, isLate }) {
        margins.observe(duration(leftMs));
        if (isLate) late.inc();
      },
    },
    arbiter: {
      waited: (outcome, waitedMs) => waits.observe({ outcome }, duration(waitedMs)),
      handedOver: (tookMs) => handovers.observe(duration(tookMs)),
      jobSkipped: () => skipped.inc(),
    },
    onAdmissionAnswered: ({ kind = OTHER, verdict, tookMs }) =>
      admissions.observe({ kind, verdict }, seconds(tookMs)),
    onSpans: (fate, count) => spans.inc({ fate }, count),
    onEventLost: (why) => lostEvents.inc({ why }),
    onKubeCall: ({ verb, status }) => calls.inc({ verb, code: codeOf(status) }),
  };
}

const OTHER = "other";

function codeOf(status: number | undefined): string {
  if (status === undefined) return "none";
  return KNOWN_CODES.has(status) ? String(status) : OTHER;
}
