/**
 * Whose event is written next: no more than so many a second in all, however many there are to tell. What is urgent comes first, and leaves
 * every fourth turn to the rest. Within each of both namespaces take turns. What waits for its turn is bounded: at most {@link NAMESPACE_LIMIT}
 * of a namespace and {@link LIMIT} in all, and as many urgent ones, for which a crowd of others leaves no less room. Whatever comes beyond that
 * is dropped. A namespace of which nothing waits always has room for one, so that busy ones do not shut it out. While an event of a namespace is
 * being written, it waits with its turn, so that slow writes do not delay or displace those of others, nor come all at once later. A write that
 * is tried again waits for another turn.
 */
import type { Clock } from "../shared/clock.ts";

/** Begins to write the event, its turn having come. Returns false if there is nothing to write any more. Must not throw. */
export type Turn = () => boolean;

export interface EventPacer {
  /** Has the turn taken when it is the namespace's. Returns false if it is dropped. */
  queue(namespace: string, turn: Turn, isUrgent?: boolean): boolean;
  /** The same of one that had its turn, to be tried again: it is the next of its namespace, and is never dropped. One of a namespace at a time. */
  queueAgain(namespace: string, turn: Turn, isUrgent?: boolean): void;
  /** How many events of the namespace wait for their turn, without urgent ones. */
  waiting(namespace: string): number;
}

export interface EventPacerOptions {
  clock: Pick<Clock, "monotonicMs" | "after">;
  /** Asked before each turn. */
  perSecond(): number;
  /** Whether the namespace has to wait with its turn. */
  isBusy(namespace: string): boolean;
}

const NAMESPACE_LIMIT = 100;
const LIMIT = 2_000;
const URGENT_IN_A_ROW = 3;

export function createEventPacer({ clock, perSecond, isBusy }: EventPacerOptions): EventPacer {
  const urgent = createLane(isBusy);
  const others = createLane(isBusy);
  let inARow = 0;
  let freeAtMs = Number.NEGATIVE_INFINITY;
  let isPlanned = false;

  function next(): Turn | undefined {
    const first = inARow < URGENT_IN_A_ROW ? urgent.next() : undefined;
    const turn = first ?? others.next();
    inARow = first ? inARow + 1 : 0;
    return turn ?? urgent.next();
  }

  /** Returns whether it was possible. */
  function takeTurn(): boolean {
    for (let turn = next(); turn; turn = next()) if (turn()) return true;
    return false;
  }

  const isEmpty = () => urgent.size() + others.size() === 0;

  function go(): void {
    isPlanned = false;
    if (takeTurn() || !isEmpty()) freeAtMs = clock.monotonicMs() + 1_000 / perSecond();
    plan();
  }

  function plan(): void {
    if (isPlanned || isEmpty()) return;
    isPlanned = true;
    clock.after(Math.max(0, freeAtMs - clock.monotonicMs()), go);
  }

  const laneOf = (isUrgent = false) => (isUrgent ? urgent : others);

  return {
    waiting: others.waiting,
    queue(namespace, turn, isUrgent) {
      const isTaken = laneOf(isUrgent).add(namespace, turn);
      plan();
      return isTaken;
    },
    queueAgain(namespace, turn, isUrgent) {
      laneOf(isUrgent).addFirst(namespace, turn);
      plan();
    },
  };
}

function createLane(isBusy: EventPacerOptions["isBusy"]) {
  /** By namespace, in the order of their turns; no queue is empty. */
  const queues = new Map<string, Turn[]>();
  let size = 0;
  const waiting = (namespace: string) => queues.get(namespace)?.length ?? 0;

  return {
    waiting,
    size: () => size,
    add(namespace: string, turn: Turn): boolean {
      const limit = size < LIMIT ? NAMESPACE_LIMIT : 1;
      if (waiting(namespace) >= limit) return false;
      queues.set(namespace, [...(queues.get(namespace) ?? []), turn]);
      size++;
      return true;
    },
    /** The namespace keeps its place among others. */
    addFirst(namespace: string, turn: Turn): void {
      queues.set(namespace, [turn, ...(queues.get(namespace) ?? [])]);
      size++;
    },
    next(): Turn | undefined {
      for (const [namespace, [turn, ...others]] of queues) {
        if (isBusy(namespace)) continue;
        queues.delete(namespace);
        if (others.length > 0) queues.set(namespace, others);
        size--;
        return turn;
      }
      return undefined;
    },
  };
}
