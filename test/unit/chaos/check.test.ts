import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkHistory } from "../../chaos/check.ts";
import type { History, WorkloadRun } from "../../chaos/history.ts";
import { broken, change, historyOf, LEASE, TURN, turns } from "./samples.ts";

const three = historyOf([TURN, TURN, TURN]);
const [first, second] = three.runs;
if (!first || !second) throw new Error("there are no runs");

test("turns that follow each other, mains restarted in place, and several kleases break no rule", () => {
  fc.assert(
    fc.property(turns, turns, (one, other) => {
      const [a, b] = [historyOf(one), historyOf(other, "backup")];
      const both = {
        ...a,
        sightings: [...a.sightings, ...b.sightings],
        runs: [...a.runs, ...b.runs],
        jobs: a.jobs,
      };
      const verdict = checkHistory(both);
      expect(verdict.violations).toEqual([]);
      expect(verdict.holds).toHaveLength(one.length + other.length);
      expect(verdict.completedJobs).toBe(one.length);
    }),
  );
});

test("sightings in any order, however often repeated, yield the same holds", () => {
  fc.assert(
    fc.property(turns, fc.infiniteStream(fc.nat()), (some, numbers) => {
      const history = historyOf(some);
      const twice = [...history.sightings, ...history.sightings];
      const keyed = twice.map((sighting) => ({ sighting, key: numbers.next().value ?? 0 }));
      const shuffled = keyed.toSorted((a, b) => a.key - b.key).map(({ sighting }) => sighting);
      const { holds } = checkHistory({ ...history, sightings: shuffled });
      expect(holds).toEqual(checkHistory(history).holds);
    }),
  );
});

describe("two mains at once", () => {
  test("are found wherever a main outlives its hold into the next main", () => {
    fc.assert(
      fc.property(turns, fc.nat(), fc.integer({ min: 1, max: 60_000 }), (some, at, longerMs) => {
        const history = historyOf(some);
        const index = at % (some.length - 1);
        const next = history.runs.find(({ by }) => by === `job-${index + 1}-abcde`);
        const late = change(history, "runs", (run) =>
          run.by === `job-${index}-abcde` && run.ended
            ? { ...run, toMs: (next?.fromMs ?? Number.NaN) + longerMs }
            : run,
        );
        expect(broken(late)).toContain("overlap");
      }),
    );
  });

  test("are found if one was killed, and reported with their tokens and the time", () => {
    const killed = change(three, "runs", (run) =>
      run === first ? { ...run, toMs: second.fromMs + 250, ended: false } : run,
    );
    expect(checkHistory(killed).violations.find(({ rule }) => rule === "overlap")).toEqual({
      rule: "overlap",
      lease: LEASE,
      sentence: "job-0-abcde (token 1000) and job-1-abcde (token 1001) ran together for 250 ms from 3.50 on",
    });
  });

  test("are found in one pod whose earlier main still lives under another hold", () => {
    const same = change(historyOf([TURN, TURN]), "runs", (run, index) => ({
      ...run,
      by: "job-0-abcde",
      toMs: run.toMs + (index === 0 ? 2_000 : 0),
    }));
    expect(broken(same)).toContain("overlap");
  });

  test("are found with the guard off, although nobody holds", () => {
    fc.assert(
      fc.property(turns, (some) => {
        const history = change({ ...historyOf(some), sightings: [], waits: [] }, "runs", (run) => ({
          lease: run.lease,
          by: run.by,
          fromMs: 0,
          toMs: run.toMs - run.fromMs,
          ended: run.ended,
        }));
        expect(broken(history)).toEqual(["overlap", "no hold"]);
      }),
    );
  });

  test("are not found in runs of different kleases", () => {
    const other = historyOf([TURN], "backup");
    expect(
      broken({
        ...three,
        runs: [...three.runs, ...other.runs],
        sightings: [...three.sightings, ...other.sightings],
      }),
    ).toEqual([]);
  });
});

describe("a grant while another main lives", () => {
  const grantMs = second.fromMs - TURN.startsAfterMs;

  test("is found even if the next main had not begun", () => {
    const late = change(three, "runs", (run) => (run === first ? { ...run, toMs: grantMs + 300 } : run));
    expect(broken(late)).toEqual(["early grant"]);
  });

  test("is tolerated within the clocks' resolution", () => {
    const late = change(three, "runs", (run) => (run === first ? { ...run, toMs: grantMs + 20 } : run));
    expect(broken(late)).toEqual([]);
  });
});

describe("a main without its own hold", () => {
  const { token: _, ...again } = first;
  const tokenless = { ...again, fromMs: first.toMs + 100, toMs: first.toMs + 200 };

  test("is not a main that finds no token while its pod still holds", () => {
    expect(broken({ ...three, runs: [...three.runs, tokenless] })).toEqual([]);
  });

  test("counts under its pod's hold if it lives too long", () => {
    const late = { ...tokenless, toMs: second.fromMs - 100 };
    expect(broken({ ...three, runs: [...three.runs, late] })).toEqual(["early grant"]);
  });

  test("is found if its pod's hold was over", () => {
    const after = { ...tokenless, fromMs: first.toMs + TURN.releasedAfterMs + 10 };
    expect(broken({ ...three, runs: [...three.runs, after] })).toContain("no hold");
  });

  test.for<[string, (run: History["runs"][number]) => History["runs"][number]]>([
    ["a token that nobody was granted", (run) => ({ ...run, token: 7 })],
    ["the token of another pod", (run) => ({ ...run, token: 1_001 })],
    ["a start before its grant", (run) => ({ ...run, fromMs: run.fromMs - TURN.startsAfterMs - 90 })],
  ])("is found: %s", ([, changed]) => {
    expect(broken(change(three, "runs", (run) => (run === first ? changed(run) : run)))).toContain("no hold");
  });
});

describe("tokens", () => {
  test("a token that is granted twice is found", () => {
    const given = change(three, "sightings", (each) =>
      each.token === 1_001 ? { ...each, token: 1_000 } : each,
    );
    expect(broken(given)).toContain("token");
  });

  test("a later grant with a lower token is found", () => {
    const fallen = change(three, "sightings", (each) =>
      each.token === 1_002 ? { ...each, token: 999 } : each,
    );
    expect(broken(fallen)).toContain("token");
  });

  test("a grant before the end of the previous hold is found", () => {
    const early = change(three, "sightings", (each) =>
      each.token === 1_001 ? { ...each, acquiredMs: each.acquiredMs - 150 } : each,
    );
    expect(broken(early)).toContain("token");
  });

  test("a grant that nobody saw is found", () => {
    const unseen = change(three, "sightings", (each) => (each.token === 1_001 ? undefined : each));
    expect(broken(unseen)).toContain("token");
  });
});

describe("liveness", () => {
  const job = (changed: Partial<History["jobs"][number]>) =>
    change(three, "jobs", (each, index) => (index === 1 ? { ...each, ...changed } : each));
  const failed = job({ result: "Failed" });

  test("a Job that never ended is found", () => {
    const { violations } = checkHistory(change(three, "jobs", ({ result: _, endedMs: __, ...each }) => each));
    expect(violations).toHaveLength(3);
    expect(violations[0]?.sentence).toBe("Job job-0 never came to its end");
  });

  test("a Job that is Complete although none of its mains ran to the end is found", () => {
    expect(broken(job({ completions: 2 }))).toEqual(["liveness"]);
    expect(broken(change(three, "runs", (run) => (run === second ? { ...run, ended: false } : run)))).toEqual(
      ["liveness"],
    );
  });

  test("a Job that failed without a fault is found", () => {
    expect(broken(failed)).toEqual(["liveness"]);
  });

  test("a Job may fail by a fault that hit its pod, or everybody during its life", () => {
    const fault = { kind: "kill -9 of a main", fromMs: 1_000, toMs: 1_000 };
    const verdict = checkHistory({ ...failed, faults: [{ ...fault, pods: ["job-1-abcde"] }] });
    expect(verdict).toMatchObject({ violations: [], completedJobs: 2, failedJobs: 1 });
    expect(broken({ ...failed, faults: [fault] })).toEqual([]);
  });

  test.for([
    { kind: "kill -9 of a main", fromMs: 1_000, toMs: 1_000, pods: ["job-2-abcde", "job-11-abcde"] },
    { kind: "kill -9 of etcd", fromMs: 900_000, toMs: 905_000 },
    { kind: "kill -9 of etcd", fromMs: -900_000, toMs: -895_000 },
  ])("a fault elsewhere or at another time is no excuse: %o", (fault) => {
    expect(broken({ ...failed, faults: [fault] })).toEqual(["liveness"]);
  });

  test("a klease that is still held after all work is done is found", () => {
    expect(broken({ ...three, leftovers: [{ lease: LEASE, holder: "job-2-abcde" }] })).toEqual(["liveness"]);
  });
});

describe("pods of a Job that holds as a whole", () => {
  /** `three`, with the first hold given to the Job, and with another pod of the Job beside its first one. */
  function shared(run: WorkloadRun, sibling: Partial<WorkloadRun> = {}): History {
    const whole = change(three, "sightings", (sighting) =>
      sighting.token === run.token ? { ...sighting, holder: "job-0" } : sighting,
    );
    return { ...whole, runs: [...whole.runs, { ...run, by: "job-0-fghij", ...sibling }] };
  }

  test("may run side by side under its hold", () => {
    expect(broken(shared(first))).toEqual([]);
  });

  test("may not outlive it", () => {
    expect(broken(shared(first, { toMs: second.toMs }))).toEqual(["overlap", "early grant"]);
  });

  test("do not run under another Job's hold", () => {
    expect(broken(shared(first, { by: "job-1-fghij" }))).toEqual(["no hold"]);
  });
});
