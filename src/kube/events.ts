/**
 * Kubernetes Events, as `kubectl describe` shows them, after client-go's EventRecorder.
 *
 * `record` never blocks and never fails, but it promises little: an event is dropped if it cannot be written in {@link TRIES} tries,
 * or if there are too many. Identical events of five minutes become one with a count. An object gets at most {@link BURST} new
 * events at once and one more every {@link REFILL_EVERY_MS}, as with client-go's spam filter, and as many more of each {@link Budget}. At most {@link PENDING_LIMIT} events of a
 * namespace wait to be written, and further ones are dropped. No namespace waits for another. Nothing bounds the events of many objects
 * together: event-pacer.ts does.
 */
import { createHash, randomBytes } from "node:crypto";
import { exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { secondsTime } from "../shared/times.ts";
import type { KubeClient } from "./api.ts";
import { EVENTS } from "./resources.ts";

/** What an event is about. */
export interface EventObject {
  apiVersion: string;
  kind: string;
  /** Absent for a cluster-wide object: its events go to `default`, where kubectl looks for them. */
  namespace?: string | undefined;
  name: string;
  uid: string;
}

export interface EventReport {
  object: EventObject;
  type: "Normal" | "Warning";
  /** One word in CamelCase, for programs. */
  reason: string;
  /** For people. Cut at 1024 characters. */
  message: string;
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Counts apart from all other events of the object. */
  budget?: Budget | undefined;
  /** What tells it apart from others of this object and reason, where several replicas may report the same: it becomes one event. */
  once?: string;
}

/** Events that must not be lost because others of their object are many: {@link BURST} at once, and one more every `refillEveryMs`. */
export interface Budget {
  name: string;
  refillEveryMs: number;
}

export interface EventRecorder {
  record(report: EventReport): void;
  /** How many events of the namespace wait to be written. */
  pending(namespace: string): number;
  /** Resolves when nothing waits to be written any more. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  /** Who reports: shown as From. */
  component: string;
  /** Which replica. */
  instance: string;
  /** What the log says of an object. */
  about?: (object: EventObject) => object;
}

const SAME_WITHIN_MS = 300_000;
const BURST = 25;
const REFILL_EVERY_MS = 300_000;
const COMMON: Budget = { name: "", refillEveryMs: REFILL_EVERY_MS };
const PENDING_LIMIT = 500;
/** How many events are remembered for counting, and objects for limiting. */
const REMEMBERED = 2_048;
const MESSAGE_LIMIT = 1_024;
const TRIES = 5;

/** One Event object, and how often it happened. */
interface Series {
  report: EventReport;
  ref: { namespace: string; name: string };
  count: number;
  firstMs: number;
  lastMs: number;
  /** The last time, monotonic. */
  seenAtMs: number;
  /** The count that the API server has; 0 before it was created. */
  writtenCount: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, logger, component, instance, about = () => ({}) } = options;
  const known = new LruMap<string, Series>(REMEMBERED);
  const buckets = new LruMap<string, Bucket>(REMEMBERED);
  /** By namespace, because each has a quota and webhooks of its own. */
  const pending = new Map<string, Set<Series>>();
  const draining = new Set<Promise<void>>();
  const backoff = exponentialBackoff({ firstMs: 500, maxMs: 10_000 });

  function seriesOf(report: EventReport): Series | undefined {
    const { object, type, reason, message, once } = report;
    const key = JSON.stringify([object.uid, object.name, type, reason, once ?? message]);
    const last = { lastMs: clock.nowMs(), seenAtMs: clock.monotonicMs() };
    const series = known.get(key);
    if (series && once !== undefined) return undefined;
    if (series && last.seenAtMs - series.seenAtMs < SAME_WITHIN_MS)
      return Object.assign(series, { count: series.count + 1, ...last });
    if (!takeToken(object.uid, report.budget)) return undefined;
    const ref = { namespace: namespaceOf(object), name: eventName(report) };
    const begun = { report, ref, count: 1, firstMs: last.lastMs, ...last, writtenCount: 0 };
    known.set(key, begun);
    return begun;
  }

  function takeToken(uid: string, budget: Budget = COMMON): boolean {
    const nowMs = clock.monotonicMs();
    const key = JSON.stringify([uid, budget.name]);
    const bucket = buckets.get(key) ?? { tokens: BURST, filledAtMs: nowMs };
    const tokens = Math.min(BURST, bucket.tokens + (nowMs - bucket.filledAtMs) / budget.refillEveryMs);
    const isTaken = tokens >= 1;
    buckets.set(key, { tokens: isTaken ? tokens - 1 : tokens, filledAtMs: nowMs });
    return isTaken;
  }

  async function drain(namespace: string, waiting: Set<Series>): Promise<void> {
    for (const series of waiting) {
      waiting.delete(series);
      try {
        await writeWithRetries(series);
      } catch (error) {
        const { object, reason } = series.report;
        logger.warn({ ...about(object), reason, error: describeError(error) }, "dropped an event");
      }
    }
    pending.delete(namespace);
  }

  async function writeWithRetries(series: Series): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await write(series);
      } catch (error) {
        if (tries + 1 >= TRIES || !hasCode(error, "Unreachable", "TooManyRequests", "Internal")) throw error;
        await clock.sleep(backoff(tries));
      }
    }
  }

  async function write(series: Series): Promise<void> {
    const { count, ref } = series;
    if (series.writtenCount > 0) {
      try {
        const change = { count, lastTimestamp: secondsTime(series.lastMs) };
        await client.patch(EVENTS, ref, change, { type: "merge" });
        series.writtenCount = count;
        return;
      } catch (error) {
        if (!hasCode(error, "NotFound")) throw error; // the API server forgets events after an hour
      }
    }
    try {
      await client.create(EVENTS, eventObject(series));
    } catch (error) {
      if (!hasCode(error, "AlreadyExists")) throw error; // an earlier try whose answer was lost, or another replica
    }
    series.writtenCount = count;
  }

  function eventObject({ report, ref, count, firstMs, lastMs }: Series): object {
    const { object, type, reason, message, annotations } = report;
    return {
      metadata: annotations ? { ...ref, annotations } : ref,
      involvedObject: object,
      type,
      reason,
      message: message.slice(0, MESSAGE_LIMIT),
      count,
      firstTimestamp: secondsTime(firstMs),
      lastTimestamp: secondsTime(lastMs),
      source: { component, host: instance },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }

  return {
    record(report) {
      const namespace = namespaceOf(report.object);
      const waiting = pending.get(namespace);
      if (waiting && waiting.size >= PENDING_LIMIT) return;
      const series = seriesOf(report);
      if (!series) return;
      if (waiting) {
        waiting.add(series);
        return;
      }
      const first = new Set([series]);
      pending.set(namespace, first);
      const done = drain(namespace, first).finally(() => draining.delete(done));
      draining.add(done);
    },
    pending: (namespace) => pending.get(namespace)?.size ?? 0,
    async flush() {
      await Promise.all(draining);
    },
  };
}

const namespaceOf = ({ namespace = "default" }: EventObject) => namespace;

/** Unique, or the same for all who report the same `once`; within the 253 characters that a name may have. */
function eventName({ object, reason, once }: EventReport): string {
  const told = JSON.stringify([object.uid, reason, once]);
  const digest = once === undefined ? randomBytes(8) : createHash("sha256").update(told).digest();
  return `${object.name.slice(0, 230).replace(/[-.]+$/, "")}.${digest.toString("hex", 0, 8)}`;
}
