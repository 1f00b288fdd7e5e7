/** Which rows are shown, and in which order. */
import type { LeaseRow, Waiter } from "../wire.ts";
import type { SeenRow } from "./model.ts";

export const SORTS = ["wait", "name", "waiting"] as const;
export type Sort = (typeof SORTS)[number];

export interface Choice {
  /** Words, each of which namespace, name, holder or a waiter must contain. */
  filter: string;
  sort: Sort;
  onlyWaiting: boolean;
}

/** The rows that are chosen, in the order that is chosen. Rows that are equal in it are ordered by name. */
export function orderRows(rows: Iterable<SeenRow>, { filter, sort, onlyWaiting }: Choice): SeenRow[] {
  const words = wordsOf(filter);
  const chosen = [...rows].filter(
    ({ lease }) => (!onlyWaiting || lease.waiting > 0) && (words.length === 0 || contains(lease, words)),
  );
  const rank: (lease: LeaseRow) => number =
    sort === "wait" ? waitsSince : sort === "waiting" ? ({ waiting }) => -waiting : () => 0;
  const ranked = chosen.map((row) => ({ row, rank: rank(row.lease), key: row.lease.key }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.key < b.key ? -1 : 1));
  return ranked.map(({ row }) => row);
}

/** Since when the one waits that has waited the longest, of those that are known. */
export function waitsSince({ waiters }: LeaseRow): number {
  return waiters.reduce((first, { sinceMs }) => Math.min(first, sinceMs), Number.POSITIVE_INFINITY);
}

/** Those who have room among `lines`: whoever a word of the filter names comes first, in the queue's order. */
export function shownWaiters(waiters: readonly Waiter[], filter: string, lines: number): Waiter[] {
  const words = wordsOf(filter);
  const isNamed = ({ holder }: Waiter) => words.some((word) => holder.toLowerCase().includes(word));
  return [...waiters.filter(isNamed), ...waiters.filter((each) => !isNamed(each))].slice(0, lines);
}

function wordsOf(filter: string): string[] {
  return filter.toLowerCase().split(/\s+/).filter(Boolean);
}

function contains(lease: LeaseRow, words: readonly string[]): boolean {
  const texts = [lease.key, lease.hold?.holder ?? "", ...lease.waiters.map(({ holder }) => holder)];
  const all = texts.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}
