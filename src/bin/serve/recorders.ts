import type { ArbiterRecorder } from "../../controller/arbiter-recorder.ts";
import type { Metrics } from "../../metrics/metrics.ts";
import type { AdmissionPluginOptions } from "../../server/admission/plugin.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { VERSION_TEXT } from "../../shared/version.ts";
import { createTracing, type Tracing } from "../../tracing/tracing.ts";
import type { ServeConfig } from "./config.ts";

/** Whom the parts of a replica tell: the metrics and, where traces are on, those. */
export interface Recorders {
  arbiter: ArbiterRecorder;
  onAdmissionAnswered: AdmissionPluginOptions["onAnswered"] & {};
  /** undefined: traces are off. */
  tracing: Tracing | undefined;
}

export function createRecorders(
  { tracing: wanted, identity }: Pick<ServeConfig, "tracing" | "identity">,
  metrics: Pick<Metrics, "arbiter" | "onAdmissionAnswered" | "onSpans">,
  { clock, logger }: { clock: Clock; logger: Logger },
): Recorders {
  const { arbiter, onAdmissionAnswered } = metrics;
  if (!wanted) return { arbiter, onAdmissionAnswered, tracing: undefined };
  const about = { ...wanted, instance: identity, version: VERSION_TEXT };
  const tracing = createTracing({ ...about, recorder: metrics.onSpans, clock, logger });
  return {
    arbiter: { ...arbiter, waited: both(arbiter.waited, tracing.onWaited) },
    onAdmissionAnswered: both(onAdmissionAnswered, tracing.onAdmissionAnswered),
    tracing,
  };
}

function both<T extends unknown[]>(first: (...told: T) => void, second: (...told: T) => void) {
  return (...told: T) => {
    first(...told);
    second(...told);
  };
}
