import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FAULTS } from "../../chaos/faults.ts";
import { formatPlan, planChaos, type Round } from "../../chaos/plan.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const kindOf = (name: string) => FAULTS.find((kind) => kind.name === name);
const kinds = ({ faults }: Round) => faults.flatMap(({ kind }) => kindOf(kind) ?? []);

/** Checks every round of many plans. */
function everyRound(check: (round: Round) => void): void {
  fc.assert(
    fc.property(seeds, (seed) => {
      for (const round of planChaos(seed, 600).rounds) check(round);
    }),
  );
}

test("a seed always yields the same plan, and another seed another plan", () => {
  expect(planChaos(7, 60)).toEqual(planChaos(7, 60));
  expect(formatPlan(planChaos(7, 60))).toContain("SEED=7 SECONDS=60");
  expect(planChaos(8, 60).rounds).not.toEqual(planChaos(7, 60).rounds);
});

test("a longer run begins like a shorter run of the same seed", () => {
  const { lanes, rounds } = planChaos(7, 60);
  const longer = planChaos(7, 600);
  expect(longer.lanes).toEqual(lanes);
  expect(longer.rounds.slice(0, rounds.length)).toEqual(rounds);
});

test("at least 20 workloads take turns on at least 5 kleases", () => {
  const { lanes } = planChaos(1, 60);
  expect(lanes.length).toBeGreaterThanOrEqual(20);
  expect(new Set(lanes.map(({ lease }) => lease.name)).size).toBeGreaterThanOrEqual(5);
});

test("every kind of fault occurs within half an hour", () => {
  const planned = planChaos(1, 1_800).rounds.flatMap(kinds);
  expect(new Set(planned.map(({ name }) => name))).toEqual(new Set(FAULTS.map(({ name }) => name)));
});

test("a fault lasts no longer than its kind allows", () => {
  everyRound(({ faults }) => {
    for (const { kind, lastsMs } of faults) {
      const [least, most] = kindOf(kind)?.lastsMs ?? [0, 0];
      expect(lastsMs).toBeGreaterThanOrEqual(least);
      expect(lastsMs).toBeLessThanOrEqual(most);
    }
  });
});

describe("faults outside the guarantees are left out", () => {
  test("a kubelet or its runtime fails only in a calm round, and never together with a fault that stops renewals", () => {
    everyRound((round) => {
      const here = kinds(round);
      if (!here.some(({ group }) => group === "node")) return;
      expect(round.calm).toBe(true);
      const others = here.filter(({ group }) => group !== "node").map(({ name }) => name);
      expect(here.length - others.length).toBe(1);
      expect(["kill -9 of a gate", "kill -9 of a main"]).toEqual(
        expect.arrayContaining([...new Set(others)]),
      );
    });
  });

  test("no keeper is killed while its node is cut off, or shortly before", () => {
    everyRound((round) => {
      const here = kinds(round);
      expect(round.restMs).toBeGreaterThanOrEqual(3_000);
      if (here.some(({ name }) => name === "kill -9 of a keeper"))
        expect(here.filter(({ cutsNodeOff }) => cutsNodeOff)).toEqual([]);
    });
  });

  test("a keeper is paused for longer than the allowance only under AfterTermination", () => {
    everyRound(({ faults }) => {
      for (const { kind, lastsMs } of faults) {
        if (kind === "pause of a keeper") expect(lastsMs).toBeLessThanOrEqual(1_000);
      }
    });
  });
});
