/**
 * The ends of holds that events tell of, and nothing else of the events. Of a Lease at most {@link MOST_OF_LEASE} are kept, and {@link MOST_IN_ALL} of
 * all: when there is no room, the namespace with the most ends loses one, the oldest of that Lease that has the most of them. So no namespace takes the
 * room of others: whoever may create events in one hides no ends of another. An end is a kilobyte at most (two names of 253 characters), mostly a
 * third of it. So all of them take 28 MB at most (measured), however many Leases there are.
 */
import { keyOf, namespaceOf, type PastHold } from "../../lease/types.ts";
import { endOfEvent } from "../../objects/hold-events.ts";
import { record, text } from "../../shared/json.ts";
import { API_VERSION, EVENT_COMPONENT } from "../../shared/names.ts";
import { shortText } from "../../shared/short-text.ts";
import type { FeedSink } from "./feed.ts";

/** konductor's events about kleases. Grants are left out: every hold that has been granted ends. */
export const END_EVENTS = [
  `involvedObject.apiVersion=${API_VERSION}`,
  "involvedObject.kind=Lease",
  `reportingComponent=${EVENT_COMPONENT}`,
  "reason!=Granted",
  "reason!=RenewedLate",
].join(",");

const MOST_OF_LEASE = 500;
const MOST_IN_ALL = 20_000;
const LONGEST_NAME = 253;

/** One end, as an event tells it. */
export interface EndedHold {
  /** The key of its klease. */
  lease: string;
  /** Of its klease: a klease of the same name may have been made since. */
  leaseUid: string;
  past: PastHold;
}

/** Reads a v1 Event about a klease; undefined if it tells of no end. */
export function parseEndedHold(event: unknown): EndedHold | undefined {
  const { involvedObject, metadata } = record(event);
  const { name, uid } = record(involvedObject);
  const past = endOfEvent(event);
  return (
    past && {
      lease: keyOf({
        namespace: text(record(metadata)["namespace"]) ?? "",
        name: shortText(name, LONGEST_NAME) ?? "",
      }),
      leaseUid: shortText(uid, LONGEST_NAME) ?? "",
      past,
    }
  );
}

export interface EndedHolds extends Pick<FeedSink<EndedHold>, "put" | "drop"> {
  /** Of one klease, in any order; one may be told more than once. */
  of(lease: { namespace: string; name: string; uid: string }): PastHold[];
  /** These and no others are known. */
  replace(ends: ReadonlyMap<string, EndedHold>): void;
}

/** `outdated` is called with the key of each klease of which something else is known than before. */
export function createEndedHolds(outdated: (key: string) => void): EndedHolds {
  /** By the key of the klease, then by the uid of the event. */
  const leases = new Map<string, Map<string, EndedHold>>();
  /** By the uid of the event. */
  const keys = new Map<string, string>();
  /** How many ends each namespace has. */
  const counts = new Map<string, number>();

  function count(key: string, more: number): void {
    const namespace = namespaceOf(key);
    const ends = (counts.get(namespace) ?? 0) + more;
    if (ends === 0) counts.delete(namespace);
    else counts.set(namespace, ends);
  }

  /** The ends of the fullest Lease of the fullest namespace. */
  function fullest(): ReadonlyMap<string, EndedHold> {
    const [namespace] = [...counts].reduce((most, each) => (each[1] > most[1] ? each : most), ["", 0]);
    let found: ReadonlyMap<string, EndedHold> = new Map();
    for (const [key, ends] of leases)
      if (ends.size > found.size && namespaceOf(key) === namespace) found = ends;
    return found;
  }

  function drop(uid: string): void {
    const key = keys.get(uid);
    if (key === undefined) return;
    keys.delete(uid);
    count(key, -1);
    const ends = leases.get(key);
    ends?.delete(uid);
    if (ends?.size === 0) leases.delete(key);
    outdated(key);
  }

  function put(uid: string, end: EndedHold): void {
    drop(uid);
    const ends = leases.get(end.lease) ?? new Map<string, EndedHold>();
    leases.set(end.lease, ends.set(uid, end));
    keys.set(uid, end.lease);
    count(end.lease, 1);
    if (ends.size > MOST_OF_LEASE) drop(oldestOf(ends));
    else if (keys.size > MOST_IN_ALL) drop(oldestOf(fullest()));
    outdated(end.lease);
  }

  return {
    put,
    drop,
    of: (lease) =>
      [...(leases.get(keyOf(lease))?.values() ?? [])].flatMap(({ leaseUid, past }) =>
        leaseUid === lease.uid ? [past] : [],
      ),
    replace(ends) {
      for (const uid of [...keys.keys()]) if (!ends.has(uid)) drop(uid);
      for (const [uid, end] of ends) put(uid, end);
    },
  };
}

function oldestOf(ends: ReadonlyMap<string, EndedHold>): string {
  let oldest = { uid: "", endedMs: Number.POSITIVE_INFINITY };
  for (const [uid, { past }] of ends)
    if (past.endedMs < oldest.endedMs) oldest = { uid, endedMs: past.endedMs };
  return oldest.uid;
}
