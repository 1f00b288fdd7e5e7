/** The lines of `koncli lease top`. Pure; a line keeps only what it shows, however large the objects are. */
import { isWaiting, wasGranted } from "../lease/order.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import { formatAge } from "../shared/age.ts";
import { isoTime } from "../shared/times.ts";
import { formatTable } from "./table.ts";

export const SORT_KEYS = ["wait", "waiters", "held"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** A klease and who waits for it; times by the API server's clock. */
export interface TopRow {
  namespace: string;
  name: string;
  waiters: number;
  /** Since when the one waits that has waited longest. */
  waitingSinceMs?: number;
  holder?: { name: string; acquiredMs: number; renewedMs: number };
}

/** Of a klease, what {@link topRows} needs. */
export type TopLease = Pick<Lease, "namespace" | "name" | "status">;

export function topLease({ namespace, name, status }: Lease): TopLease {
  return { namespace, name, status: { ...status, history: [], holdSeconds: [], conditions: [] } };
}

/** One line for each klease, the one that `key` puts first first: by longest wait, most waiters, or longest hold. */
export function topRows(
  leases: readonly TopLease[],
  requests: Iterable<LeaseRequest>,
  key: SortKey,
): TopRow[] {
  const rows = new Map(leases.map((lease) => [keyOf(lease), { lease, row: rowOf(lease) }]));
  for (const request of requests) {
    const found = rows.get(keyOf({ namespace: request.namespace, name: request.spec.lease }));
    if (!found || !isWaiting(request) || wasGranted(request, found.lease)) continue;
    const { row } = found;
    row.waiters++;
    row.waitingSinceMs = Math.min(row.waitingSinceMs ?? Number.POSITIVE_INFINITY, request.spec.requestedAtMs);
  }
  const since = (ms: number | undefined) => ms ?? Number.POSITIVE_INFINITY;
  const compare = {
    wait: (a: TopRow, b: TopRow) => order(since(a.waitingSinceMs), since(b.waitingSinceMs)),
    waiters: (a: TopRow, b: TopRow) => b.waiters - a.waiters,
    held: (a: TopRow, b: TopRow) => order(since(a.holder?.acquiredMs), since(b.holder?.acquiredMs)),
  };
  const all = [...rows.values()].map(({ row }) => row);
  return all.sort(
    (a, b) =>
      compare[key](a, b) ||
      compare.wait(a, b) ||
      compare.held(a, b) ||
      order(a.namespace, b.namespace) ||
      order(a.name, b.name),
  );
}

/** Infinity less Infinity is no number. */
function order<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rowOf({ namespace, name, status: { hold } }: TopLease): TopRow {
  if (!hold) return { namespace, name, waiters: 0 };
  const { holder, acquiredMs, expiresMs, ttlMs } = hold;
  return { namespace, name, waiters: 0, holder: { name: holder, acquiredMs, renewedMs: expiresMs - ttlMs } };
}

const HEADINGS = ["NAMESPACE", "NAME", "HOLDER", "HELD", "WAITERS", "LONGEST WAIT", "LAST RENEWAL"];

/** The lines as a table; `sum` adds one with the number of all who wait. */
export function formatTop(
  rows: readonly TopRow[],
  { nowMs, headings, sum }: { nowMs: number; headings: boolean; sum: boolean },
): string {
  const age = (ms: number | undefined) => (ms === undefined ? "" : formatAge(nowMs - ms));
  const lines = rows.map(({ namespace, name, waiters, waitingSinceMs, holder }) => [
    namespace,
    name,
    holder?.name ?? "",
    age(holder?.acquiredMs),
    String(waiters),
    age(waitingSinceMs),
    age(holder?.renewedMs),
  ]);
  const total = rows.reduce((count, { waiters }) => count + waiters, 0);
  const table = formatTable(HEADINGS, sum ? [...lines, ["", "", "", "", String(total)]] : lines);
  return headings ? table : table.slice(table.indexOf("\n") + 1);
}

/** A line as `-o json` prints it. */
export function topObject({ namespace, name, waiters, waitingSinceMs, holder }: TopRow): object {
  return {
    ...{ namespace, name, waiters },
    ...(waitingSinceMs !== undefined && { waitingSince: isoTime(waitingSinceMs) }),
    ...(holder && {
      holder: holder.name,
      acquired: isoTime(holder.acquiredMs),
      renewed: isoTime(holder.renewedMs),
    }),
  };
}
