/**
 * Kubernetes Events, as `kubectl describe` shows them, after client-go's EventRecorder.
 *
 * `record` never blocks and never fails, but it promises little: an event is dropped if it cannot be written in {@link TRIES} tries,
 * or if there are too many. Identical events of five minutes become one with a count. An object gets at most 25 new events
 * at once and one more every 5 minutes, as with client-go's spam filter, and as many more of each {@link Budget}. Every event
 * waits for its turn, as event-pacer.ts gives them, and again for each other try: a process writes so many a second and no more. No namespace waits until another's
 * events are written.
 */
import { createHash, randomBytes } from "node:crypto";
import { exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { secondsTime } from "../shared/times.ts";
import type { KubeClient } from "./api.ts";
import { type Budget, createEventBudgets } from "./event-budgets.ts";
import { createEventPacer, type Turn } from "./event-pacer.ts";
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
  /** Counts apart from all other events of the object, so that it is not lost because those are many. */
  budget?: Budget | undefined;
  /** What tells it apart from others of this object and reason, where several replicas may report the same: it becomes one event. */
  once?: string;
  /** Comes before others that are not. */
  isUrgent?: boolean;
  /** Written only if one of these events of the same object was written before, by whatever replica. */
  follows?: readonly EventMark[];
}

/** Which event of an object it is, among those that have a `once`. */
export type EventMark = Required<Pick<EventReport, "type" | "reason" | "once">>;

/** The event, made when its turn has come; undefined: there is nothing to tell any more. */
export type MakeEvent = () => EventReport | undefined;

/** Why an event was dropped: its object, or all together, had too many; the API server did not take it; or the process ended first. */
export type EventLoss = "object" | "total" | "refused" | "ended";

export interface EventRecorder {
  record(report: EventReport): void;
  /** The same of an event that says how things are when it is written. Returns false if it is dropped at once. `make` must not throw. */
  recordInTurn(namespace: string, make: MakeEvent): boolean;
  /** How many events of the namespace wait for their turn, without urgent ones. */
  waiting(namespace: string): number;
  /**
   * Resolves when nothing waits for its turn, or to be written, any more, and at the latest after `withinMs`. What then is left is lost: it is
   * counted, and the log says how many.
   */
  flush(withinMs?: number): Promise<void>;
}

export interface EventRecorderOptions {
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  /** Who reports: shown as From. */
  component: string;
  /** Which replica. */
  instance: string;
  /** How many events may be written in a second. Asked before each. */
  perSecond(): number;
  /** What the log says of an object. */
  about?: (object: EventObject) => object;
  onLost?: (why: EventLoss) => void;
}

const SAME_WITHIN_MS = 300_000;
/** How many events are remembered for counting. */
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
  /** Its turn will come. */
  isQueued: boolean;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, logger, component, instance, perSecond, about = () => ({}) } = options;
  const { onLost = () => undefined } = options;
  const known = new LruMap<string, Series>(REMEMBERED);
  const takeToken = createEventBudgets(clock);
  /** Namespaces in which an event is being written. Each has a quota and webhooks of its own, which may be slow. */
  const writing = new Set<string>();
  const pacer = createEventPacer({ clock, perSecond, isBusy: (namespace) => writing.has(namespace) });
  /** What is to be written at each turn to come. */
  const turns = new Set<() => Series | undefined>();
  /** Whoever waits until nothing is left. */
  const flushing = new Set<() => void>();
  const backoff = exponentialBackoff({ firstMs: 500, maxMs: 10_000 });

  /** What is to be written; undefined: nothing, or it will be anyway. */
  function seriesOf(report: EventReport): Series | undefined {
    const { object, once } = report;
    const key = keyOf(object, report);
    const last = { lastMs: clock.nowMs(), seenAtMs: clock.monotonicMs() };
    const series = known.get(key);
    if (series && once !== undefined) return undefined;
    if (series && last.seenAtMs - series.seenAtMs < SAME_WITHIN_MS) {
      Object.assign(series, { count: series.count + 1, ...last });
      return series.isQueued ? undefined : series;
    }
    if (!takeToken(object.uid, report.budget)) {
      onLost("object");
      return undefined;
    }
    const ref = { namespace: namespaceOf(object), name: eventName(object, report) };
    const begun = { report, ref, count: 1, firstMs: last.lastMs, ...last, writtenCount: 0, isQueued: false };
    known.set(key, begun);
    return begun;
  }

  async function deliver(series: Series, tries = 1): Promise<void> {
    const { report, ref } = series;
    series.isQueued = false;
    writing.add(ref.namespace);
    try {
      await write(series);
    } catch (error) {
      if (tries < TRIES && hasCode(error, "Unreachable", "TooManyRequests", "Internal"))
        return await deliverAgain(series, tries);
      const { object, reason, once } = report;
      // It may be reported again.
      if (once !== undefined) known.delete(keyOf(object, report));
      logger.warn({ ...about(object), reason, error: describeError(error) }, "dropped an event");
      onLost("refused");
    }
    writing.delete(ref.namespace);
    settle();
  }

  const isSettled = () => turns.size + writing.size === 0;

  /** Until its turn comes again, its namespace waits. */
  async function deliverAgain(series: Series, tries: number): Promise<void> {
    const { report, ref } = series;
    await clock.sleep(backoff(tries - 1));
    const begin = () => series;
    turns.add(begin);
    series.isQueued = true;
    pacer.queueAgain(ref.namespace, turnOf(begin, tries + 1), report.isUrgent);
    writing.delete(ref.namespace);
  }

  function settle(): void {
    if (!isSettled()) return;
    for (const done of flushing) done();
    flushing.clear();
  }

  /** Has `begin` called when the turn has come; it says what is to be written. */
  function queue(namespace: string, begin: () => Series | undefined, isUrgent?: boolean): boolean {
    const isTaken = pacer.queue(namespace, turnOf(begin), isUrgent);
    if (isTaken) turns.add(begin);
    else onLost("total");
    return isTaken;
  }

  function turnOf(begin: () => Series | undefined, tries?: number): Turn {
    return () => {
      turns.delete(begin);
      const series = begin();
      if (series) void deliver(series, tries);
      else settle();
      return series !== undefined;
    };
  }

  function loseTheRest(): void {
    const unwritten = [...turns].filter((begin) => begin() !== undefined);
    const events = writing.size + unwritten.length;
    for (let lost = 0; lost < events; lost++) onLost("ended");
    if (events > 0) logger.warn({ events }, "the last events are lost: no time was left to write them");
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
    if (!(await mayFollow(series))) return;
    try {
      await client.create(EVENTS, eventObject(series));
    } catch (error) {
      if (!hasCode(error, "AlreadyExists")) throw error; // an earlier try whose answer was lost, or another replica
    }
    series.writtenCount = count;
  }

  /** An empty patch asks for an event without the right to read events. */
  async function mayFollow({ report: { object, follows }, ref }: Series): Promise<boolean> {
    if (!follows) return true;
    if (follows.some((mark) => (known.get(keyOf(object, mark))?.writtenCount ?? 0) > 0)) return true;
    for (const mark of follows) {
      try {
        await client.patch(EVENTS, { ...ref, name: eventName(object, mark) }, {}, { type: "merge" });
        return true;
      } catch (error) {
        if (!hasCode(error, "NotFound")) throw error;
      }
    }
    return false;
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
      const series = seriesOf(report);
      if (!series) return;
      series.isQueued = queue(series.ref.namespace, () => series, report.isUrgent);
      if (!series.isQueued && series.writtenCount === 0) known.delete(keyOf(report.object, report));
    },
    recordInTurn(namespace, make) {
      return queue(namespace, () => {
        const report = make();
        return report && seriesOf(report);
      });
    },
    waiting: pacer.waiting,
    async flush(withinMs) {
      if (isSettled()) return;
      const settled = new Promise<void>((done) => flushing.add(done));
      await Promise.race([settled, ...(withinMs === undefined ? [] : [clock.sleep(withinMs)])]);
      if (!isSettled()) loseTheRest();
    },
  };
}

const namespaceOf = ({ namespace = "default" }: EventObject) => namespace;

/** By which an event is known here. */
function keyOf(
  { uid, name }: EventObject,
  { type, reason, once, message }: Pick<EventReport, "type" | "reason" | "once"> & { message?: string },
): string {
  return JSON.stringify([uid, name, type, reason, once ?? message]);
}

/** Unique, or the same for all who report the same `once`; within the 253 characters that a name may have. */
function eventName(object: EventObject, { reason, once }: Pick<EventReport, "reason" | "once">): string {
  const told = JSON.stringify([object.uid, reason, once]);
  const digest = once === undefined ? randomBytes(8) : createHash("sha256").update(told).digest();
  return `${object.name.slice(0, 230).replace(/[-.]+$/, "")}.${digest.toString("hex", 0, 8)}`;
}
