/**
 * Events about as many objects as users like to make, no more than so many a second in all. Namespaces take turns. What waits for its
 * turn is bounded: at most {@link NAMESPACE_LIMIT} of a namespace and {@link LIMIT} in all, and whatever comes beyond that is dropped. A
 * namespace of which nothing waits always has room for one, so that busy ones do not shut it out. A namespace whose events
 * are written slowly waits with its turn, so that these do not delay or displace others there.
 */
import type { Clock } from "../shared/clock.ts";
import type { EventRecorder, EventReport } from "./events.ts";

/** The event, made when its turn has come; undefined: there is nothing to tell any more. */
export type MakeEvent = () => EventReport | undefined;

export interface EventPacer {
  /** Has the event recorded in its namespace's turn. Returns false if it is dropped. `make` must not throw. */
  tell(namespace: string, make: MakeEvent): boolean;
  /** How many events of the namespace wait for their turn. */
  waiting(namespace: string): number;
}

export interface EventPacerOptions {
  events: Pick<EventRecorder, "record" | "pending">;
  clock: Pick<Clock, "monotonicMs" | "after">;
  perSecond: number;
}

const NAMESPACE_LIMIT = 100;
const LIMIT = 2_000;
/** With more events to be written than this, a namespace waits with its turn. */
const SLOW_FROM = 20;

export function createEventPacer({ events, clock, perSecond }: EventPacerOptions): EventPacer {
  /** By namespace, in the order of their turns; no queue is empty. */
  const queues = new Map<string, MakeEvent[]>();
  let size = 0;
  let freeAtMs = Number.NEGATIVE_INFINITY;
  let isPlanned = false;

  function next(): MakeEvent | undefined {
    for (const [namespace, [make, ...others]] of queues) {
      if (events.pending(namespace) > SLOW_FROM) continue;
      queues.delete(namespace);
      if (others.length > 0) queues.set(namespace, others);
      size--;
      return make;
    }
    return undefined;
  }

  /** Returns whether it was possible. */
  function sendNext(): boolean {
    for (let make = next(); make; make = next()) {
      const report = make();
      if (!report) continue;
      events.record(report);
      return true;
    }
    return false;
  }

  function send(): void {
    isPlanned = false;
    if (sendNext() || size > 0) freeAtMs = clock.monotonicMs() + 1_000 / perSecond;
    plan();
  }

  function plan(): void {
    if (isPlanned || size === 0) return;
    isPlanned = true;
    clock.after(Math.max(0, freeAtMs - clock.monotonicMs()), send);
  }

  const waiting = (namespace: string) => queues.get(namespace)?.length ?? 0;

  return {
    waiting,
    tell(namespace, make) {
      const limit = size < LIMIT ? NAMESPACE_LIMIT : 1;
      if (waiting(namespace) >= limit) return false;
      queues.set(namespace, [...(queues.get(namespace) ?? []), make]);
      size++;
      plan();
      return true;
    },
  };
}
