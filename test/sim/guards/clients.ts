/** Guards for those who ask by a lease client, on their own side and on the arbiter's. */
import { LEASES } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import {
  deletesAnyVersion,
  forgoesTraces,
  listsNoRequests,
  looksAtWhatItKnows,
  shortensHolds,
} from "./arbiters-side.ts";
import type { Guard } from "./guard.ts";
import {
  confirmsToItself,
  countsFromTheLast,
  goesOnUnrenewed,
  hearsNoTime,
  hearsOfNoGrant,
} from "./own-side.ts";
import { replaced } from "./replacement.ts";
import { asGrantedBefore } from "./rewriting.ts";
import { event, until, worker } from "./tale.ts";

type LiveObjects = typeof import("../../../src/objects/live-objects.ts");
type Places = typeof import("../../../src/client/place-request.ts");

/** Variants of events, as in test/sim/events. */
const TWO_HOURS_AHEAD = 16;
const SHORT_TTL = 0;
const NOT_RENEWABLE = 1;
const ANSWERS_LOST = 72;

export const CLIENTS: Record<string, Guard> = {
  "a client works only after its grant was confirmed": {
    rule: "two",
    tale: [worker(4_000, "a", { ttlMs: 60_000, graceMs: 10_000 }), worker(5_000, "b")],
    off: { worker: confirmsToItself },
  },
  "a client counts from its first renewal without an answer": {
    // A confirmation whose answer is lost is repeated, refused as a renewal, and treated as confirmed.
    rule: "two",
    tale: [
      event(3_000, "changeRenewable", { kind: NOT_RENEWABLE }),
      worker(4_000, "z", { worksForMs: 5_000 }),
      worker(5_000, "a", { worksForMs: 60_000 }),
      worker(6_000, "b"),
      event(7_000, "troubleWorker", { who: 1, ms: 12_000, kind: ANSWERS_LOST }),
      event(19_500, "cutWorker", { ms: 30_000 }),
      until(50_000),
    ],
    off: { worker: countsFromTheLast },
  },
  "a hold that is found again is renewed": {
    rule: "two",
    tale: [
      worker(4_000, "a", { ttlMs: 60_000, worksForMs: 100_000 }),
      worker(5_000, "b"),
      event(6_000, "killWorker"),
      event(62_000, "takeOver"),
      until(80_000),
    ],
    off: { worker: goesOnUnrenewed },
  },
  "clients go by the API server's time of day": {
    // The client's time seems to be over, again and again.
    rule: "calls",
    tale: [worker(4_000, "a", { worksForMs: 5_000 }), worker(5_000, "b", { wallErrorMs: -7_200_000 })],
    off: { worker: hearsNoTime },
  },
  "whether a client still waits is judged by the API server's time of day": {
    rule: "told",
    tale: [
      worker(4_000, "a"),
      worker(5_000, "b"),
      event(6_000, "setReplicaClock", { kind: TWO_HOURS_AHEAD }),
    ],
    off: { goesByItsOwnTime: true },
  },
  "a client's silence is measured by a monotonic clock": {
    rule: "dead",
    tale: [
      worker(4_000, "a"),
      worker(5_000, "b"),
      event(6_000, "killWorker"),
      event(7_000, "setReplicaClock", { kind: TWO_HOURS_AHEAD }),
    ],
    off: { measuresByTimeOfDay: true },
  },
  "a hold lasts as long as its client counts on, even if the ttl was shortened": {
    rule: "two",
    ttl: "60s",
    tale: [
      worker(4_000, "a"),
      worker(5_000, "b"),
      event(6_000, "changeTtl", { kind: SHORT_TTL }),
      event(7_000, "cutWorker", { ms: 45_000 }),
      until(50_000),
    ],
    off: { client: shortensHolds },
  },
  "a grant is written into its request before it is confirmed": {
    rule: "two",
    tale: [
      event(3_500, "forbidAnswers", { ms: 20_000 }),
      worker(4_000, "a"),
      worker(5_000, "b", { priority: 2 }),
      event(6_000, "deleteLease"),
    ],
    off: { client: forgoesTraces },
  },
  "a client under a deleted klease has its ttl once more": {
    rule: "two",
    tale: [worker(4_000, "a"), worker(5_000, "b", { priority: 2 }), event(6_000, "deleteLease")],
    off: { client: asGrantedBefore },
  },
  "a request is deleted only in the version that was read": {
    // The arbiter has not seen yet that somebody waits for longer now.
    rule: "told",
    tale: [
      worker(4_000, "a", { worksForMs: 60_000 }),
      worker(5_000, "b", { timeoutMs: 10_000 }),
      event(7_000, "killWorker", { who: 1 }),
      event(8_000, "stallWatch", { ms: 20_000, kind: 4 }),
      event(9_000, "takeOver"),
      until(40_000),
    ],
    off: { client: deletesAnyVersion },
  },
  "the API server is asked who was granted a deleted klease": {
    // The new leader has seen the end of "z", but not the grant to "a" that its predecessor, which still leads, makes right after that.
    rule: "two",
    replicas: 2,
    tale: [
      event(3_000, "changePriority", { kind: 2 }),
      worker(4_000, "z", { worksForMs: 5_850 }),
      worker(5_000, "b", { priority: 1 }),
      worker(6_000, "a"),
      event(9_050, "deposeLeader"),
      event(9_892, "stallWatch", { who: 1, ms: 10_000, kind: 5 }),
      event(10_000, "deleteLease"),
    ],
    off: { client: listsNoRequests },
  },
  "the end of a hold is concluded only from a live look at its klease": {
    // The new leader has not seen what its predecessor, which still leads, has granted.
    rule: "two",
    replicas: 2,
    tale: [
      worker(4_000, "z", { worksForMs: 500 }),
      event(7_000, "stallWatch", { who: 0, ms: 1_900, kind: 3 }),
      event(7_000, "stallWatch", { who: 1, ms: 1_900, kind: 3 }),
      event(9_050, "deposeLeader"),
      worker(9_900, "a"),
      worker(10_000, "b"),
      event(10_500, "deleteLease"),
    ],
    off: {
      client: looksAtWhatItKnows,
      modules: [
        replaced<LiveObjects>("src/objects/live-objects.ts", () => ({
          async findLease(client, leases, ref) {
            const live = await client.get(LEASES, ref, parseLease);
            leases.apply(live);
            return live;
          },
        })),
      ],
    },
  },
  "a client whose klease is deleted under its grant keeps its place": {
    rule: "told",
    tale: [event(3_500, "deleteGrantedLease"), worker(4_000, "a")],
    off: {
      modules: [
        replaced<Places>("src/client/place-request.ts", ({ placeRequest }) => ({
          placeRequest: (context, wish, endMs, { stop }) => placeRequest(context, wish, endMs, { stop }),
        })),
      ],
    },
  },
  "a client can also learn of its grant from its request": {
    rule: "told",
    tale: [worker(4_000, "a", { timeoutMs: 0 }), event(4_000, "hangGrant"), until(15_000)],
    off: { worker: hearsOfNoGrant },
  },
};
