/**
 * `decide()` and what follows from it for clients, in a world that does its worst (client-world/world.ts says which invariants it knows,
 * and what is left out), and the proof that the world notices: with one guard switched off, the invariant that it protects
 * is broken.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LeaseSpec } from "../../../src/lease/types.ts";
import { type Story, stories, tell } from "./client-world/events.ts";
import type { Guards } from "./client-world/guards.ts";
import { TOLD } from "./client-world/told.ts";
import { LONG_TTL_MS } from "./client-world/world.ts";
import { findBroken } from "./world/counterexample.ts";

const RUNS = 1_000;

test.each<Partial<LeaseSpec>>([{}, { renewable: false }])(
  "no sequence of events breaks an invariant: %o",
  (leaseSpec) => {
    fc.assert(
      fc.property(stories(), (story) => {
        tell(story, { leaseSpec });
      }),
      { numRuns: RUNS },
    );
  },
  60_000,
);

/** The guard that is off, the invariant that breaks without it, and by which events and spec where that is rare; the others are told below. */
test.each<[keyof Guards, string, string[]?, Partial<LeaseSpec>?]>([
  // An arbiter that was paused writes what it decided long ago over what has happened since.
  ["guardedWrites", "C2"],
  // A client that was slow runs after its grant was taken back.
  ["confirm", "C1"],
  // A clock that is 6 s fast ends a hold before its client does.
  ["monotonicSilence", "C1"],
  ["monotonicSilence", "C4"],
  // Whoever ran under the deleted Lease is forgotten.
  ["waitForUnrecorded", "C1"],
  // Its klease's ttl was shortened: the hold ends before its client thinks so.
  ["keepCountedTtl", "C1", ["work", "pass", "changeTtl", "look", "renew"], { ttlMs: LONG_TTL_MS }],
  // A Lease that is created again begins with a token that was given before.
  ["tokensFromBirth", "C2"],
])(
  "without %s, %s breaks",
  (guard, invariant, only, leaseSpec = {}) => {
    const told = (story: Story) => tell(story, { guards: { [guard]: false }, leaseSpec });
    const broken = findBroken(stories(only), told, invariant);
    expect(broken).toMatch(new RegExp(`^${invariant}: `));
  },
  60_000,
);

describe.each(TOLD)("$guard: $how", ({ guard, story, leaseSpec = {} }) => {
  const told = (guards: Partial<Guards>) => () => tell(story, { guards, leaseSpec });

  test("cannot happen", () => {
    told({})();
  });

  test("would have two run at once", () => {
    expect(told({ [guard]: false })).toThrow(/^C1: /);
  });
});
