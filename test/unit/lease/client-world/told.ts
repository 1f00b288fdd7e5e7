/** Stories that chance would hardly ever tell: in each, what one guard forbids happens once. */
import type { LeaseSpec } from "../../../../src/lease/types.ts";
import type { ClientKind } from "./client.ts";
import type { Event, Story } from "./events.ts";
import type { Guards } from "./guards.ts";
import { LONG_TTL_MS } from "./world.ts";

export interface Told {
  guard: keyof Guards;
  how: string;
  story: Story;
  leaseSpec?: Partial<LeaseSpec>;
}

type Line = [what: string, who: number, n: number];

const ALL = 5;
/** Numbers of `sync`: so many events of the Lease, or of the requests. */
const LEASES = 4;
const REQUESTS = 5;

function story(clients: ClientKind[], lines: readonly Line[], clockErrorsMs = [0, 0]): Story {
  const events: Event[] = lines.map(([what, who, n]) => ({ what, who, n }));
  return { clients, clockErrorsMs, isUnderWay: false, events };
}

const patient: ClientKind = { asks: "patiently" };
const urgent: ClientKind = { asks: "patiently", priority: 2 };
const nextOneRuns: Line[] = [
  ["work", 1, ALL],
  ["work", 1, ALL],
];

export const TOLD: readonly Told[] = [
  {
    guard: "guardedDeletes",
    how: "an arbiter whose view is old deletes the request of a waiter whose time is over, and who runs by now",
    leaseSpec: { ttlMs: LONG_TTL_MS },
    story: story(
      [{ asks: "waits" }, patient],
      [
        ["ask", 0, 0],
        ["syncAll", 1, 0],
        ["work", 0, ALL],
        ["pass", 0, 5],
        ["pass", 0, 4],
        ["act", 1, 0],
        ["act", 1, 0],
        ...nextOneRuns,
      ],
    ),
  },
  {
    guard: "lookBeforeEnd",
    how: "an arbiter that has never seen the Lease takes a hold for one that is left over",
    story: story(
      [patient, patient],
      [
        ["work", 0, ALL],
        ["sync", 1, REQUESTS],
        ["act", 1, 0],
        ["pass", 0, 4],
        ["work", 0, 2],
        ["pass", 0, 2],
        ["sync", 1, REQUESTS],
        ["act", 1, 0],
        ["act", 1, 0],
        ...nextOneRuns,
      ],
    ),
  },
  {
    guard: "lookBeforeEnd",
    how: "an arbiter for which nobody ever held the Lease says of a hold that it is over, and the Lease is created again",
    story: story(
      [patient, patient],
      [
        ["sync", 1, 0],
        ["work", 0, ALL],
        ["sync", 1, REQUESTS],
        ["act", 1, 0],
        ["pass", 0, 4],
        ["work", 0, 2],
        ["pass", 0, 2],
        ["sync", 1, REQUESTS],
        ["act", 1, 0],
        ["act", 1, 0],
        ["deleteLease", 0, 0],
        ["createLease", 0, 0],
        ...nextOneRuns,
      ],
    ),
  },
  {
    guard: "listUnrecorded",
    how: "an arbiter that has not seen yet who was granted the Lease grants the one that was created again",
    story: story(
      [patient, urgent],
      [
        ["ask", 0, 0],
        ["syncAll", 0, 0],
        ["ask", 1, 0],
        ["sync", 1, 1],
        ["arbitrate", 0, ALL],
        ["look", 0, ALL],
        ["renew", 0, 0],
        ["work", 0, 2],
        ["pass", 0, 3],
        ["pass", 0, 2],
        ["work", 0, 2],
        ["deleteLease", 0, 0],
        ["createLease", 0, 0],
        ["sync", 1, LEASES],
        ["sync", 1, LEASES],
        ["act", 1, 0],
        ["act", 1, 0],
        ...nextOneRuns,
      ],
    ),
  },
  {
    guard: "traceFirst",
    how: "an arbiter dies when it has confirmed a grant, the Lease is created again, and nothing tells of the hold",
    story: story(
      [patient, urgent],
      [
        ["ask", 0, 0],
        ["syncAll", 0, 0],
        ["act", 0, 0],
        ["act", 0, 0],
        ["act", 0, 0],
        ["look", 0, ALL],
        ["renew", 0, 0],
        ["syncAll", 0, 0],
        ["act", 0, 0],
        ["act", 0, 0],
        ["act", 0, 0],
        ["look", 0, ALL],
        ["pass", 0, 3],
        ["pass", 0, 2],
        ["deleteLease", 0, 0],
        ["createLease", 0, 0],
        ["replaceArbiter", 0, 0],
        ...nextOneRuns,
      ],
    ),
  },
  {
    guard: "countFromFirst",
    how: "a confirmation whose answer is lost is repeated, refused as a renewal, and taken for confirmed",
    leaseSpec: { renewable: false },
    story: story(
      [patient, patient],
      [
        ["ask", 0, 0],
        ["syncAll", 0, 0],
        ["arbitrate", 0, ALL],
        ["look", 0, ALL],
        ["renewUnheard", 0, 0],
        ["syncAll", 0, 0],
        ["arbitrate", 0, ALL],
        ["pass", 0, 3],
        ["renew", 0, 0],
        ["syncAll", 0, 0],
        ["arbitrate", 0, ALL],
        ["look", 0, ALL],
        ["pass", 0, 3],
        ["pass", 0, 2],
        ...nextOneRuns,
      ],
    ),
  },
];
