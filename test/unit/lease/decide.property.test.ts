/**
 * `decide()` in a world that does its worst (world/world.ts says which invariants it knows, and what is left out), and the proof
 * that the world notices: with one guard switched off, the invariant that it protects is broken.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LeaseSpec } from "../../../src/lease/types.ts";
import { findBroken } from "./world/counterexample.ts";
import { LONG_TTL_MS, type Profile, type Story, stories, tell } from "./world/events.ts";
import type { Guards } from "./world/guards.ts";

const RUNS = 1_000;

test.each<[Profile, Partial<LeaseSpec>]>([
  ["faults", {}],
  ["faults", { handoverPolicy: "AfterTermination" }],
  ["faults", { renewable: false, handoverPolicy: "AfterTermination" }],
  ["recreation", {}],
  ["jobs", {}],
  ["jobs", { handoverPolicy: "AfterTermination" }],
  ["recreatedJobs", {}],
])("no sequence of events breaks an invariant: %s, %o", (profile, leaseSpec) => {
  fc.assert(
    fc.property(stories(profile), (story) => {
      tell(story, profile, { leaseSpec });
    }),
    { numRuns: RUNS },
  );
});

/** The guard that is off, the invariant that breaks without it, where it does, and by which events and spec where that is rare. */
test.each<[keyof Guards, string, Profile, string[]?, Partial<LeaseSpec>?]>([
  // An arbiter that was paused writes what it decided long ago over what has happened since.
  ["guardedWrites", "I1", "recreation"],
  // A gate that was slow lets its pod through after its grant was taken back.
  ["confirm", "I1", "faults"],
  // A clock that is 6 s fast ends a hold before its keeper does.
  ["monotonicSilence", "I1", "faults", ["work", "pass", "cut", "syncAll", "act", "deliver"]],
  // The ended main of the earlier run, shown late, ends the hold of the next one.
  ["tokenedProof", "I1", "faults", ["work", "pass", "complete", "fail", "loseSandbox", "deliver"]],
  // A cache that is behind shows a keeper that crashed long ago, and is trusted to have stopped main.
  ["liveLookAtExpired", "I1", "faults", ["deliver", "work", "crashKeeper", "workBlindly", "pass"]],
  // A pod that is cut off runs on.
  ["fencing", "I1", "faults"],
  // Whoever ran under the deleted Lease is forgotten.
  ["waitForUnrecorded", "I1", "recreation"],
  // An acquire that comes late is taken for a gate that runs again: the hold of a main that runs gets another token.
  ["laterRunsOnly", "I1", "faults"],
  // The answers of a keeper are lost, and its klease's ttl was shortened: the hold ends before the keeper thinks so.
  [
    "keepCountedTtl",
    "I1",
    "faults",
    ["work", "pass", "changeTtl", "deafen", "mute", "deliver"],
    { ttlMs: LONG_TTL_MS },
  ],
  // Who was passed over once is passed over for ever.
  ["unmarkWhoAsks", "I3", "faults"],
  // The watch of pods has not shown yet that one more of the Job was let through.
  ["memberList", "I1", "jobs"],
  // A status of the run before the fence, whose main has ended, takes the pod off the list while it runs again.
  ["runProof", "I1", "jobs", ["workJobs", "pass", "mute", "unmute", "complete", "deliver", "suspendJob"]],
  // A Lease that is created again begins with a token that was given before.
  ["tokensFromBirth", "I2", "recreation"],
])(
  "without %s, %s breaks",
  (guard, invariant, profile, only, leaseSpec = {}) => {
    const told = (story: Story) => tell(story, profile, { guards: { [guard]: false }, leaseSpec });
    const broken = findBroken(stories(profile, only), told, invariant);
    expect(broken).toMatch(new RegExp(`^${invariant}: `));
  },
  60_000,
);
