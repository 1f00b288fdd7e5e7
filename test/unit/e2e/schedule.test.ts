import { expect, test } from "vitest";
import { type Claim, createSchedule, type Lock, PARTS, type Part } from "../../e2e/schedule.ts";

function openSchedule(width = 10) {
  const schedule = createSchedule({ width });
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    async begin(name: string, locks: Lock[] = [], uses: readonly Part[] = PARTS, ...grounds: string[]) {
      const claim: Claim = { grounds: grounds.length > 0 ? grounds : ["here"], locks, uses };
      void schedule.run(claim, async (ground) => {
        running.push(grounds.length > 1 ? `${name} ${ground}` : name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        running.splice(
          running.findIndex((each) => each.startsWith(name)),
          1,
        );
      });
      await settled();
    },
    async end(name: string) {
      ends.get(name)?.();
      await settled();
    },
    running: () => [...running],
  };
}

test("scenarios without locks run side by side, up to the width of their ground", async () => {
  const schedule = openSchedule(2);
  for (const name of ["a", "b", "c"]) await schedule.begin(name);
  await schedule.begin("elsewhere", [], PARTS, "there");
  expect(schedule.running()).toEqual(["a", "b", "elsewhere"]);
  await schedule.end("a");
  expect(schedule.running()).toEqual(["b", "elsewhere", "c"]);
});

test("a scenario that locks a part and those that use it wait for each other, and all others go on", async () => {
  const schedule = openSchedule();
  await schedule.begin("ordinary");
  await schedule.begin("node stops", ["node"]);
  await schedule.begin("without node", [], ["control plane", "konductor"]);
  expect(schedule.running()).toEqual(["ordinary", "without node"]);
  await schedule.end("ordinary");
  await schedule.begin("late");
  expect(schedule.running()).toEqual(["without node", "node stops"]);
  await schedule.end("node stops");
  expect(schedule.running()).toEqual(["without node", "late"]);
});

test("two scenarios that lock the same part run one after the other, even if neither uses it", async () => {
  const schedule = openSchedule();
  await schedule.begin("first", ["node"], []);
  await schedule.begin("second", ["node"], []);
  expect(schedule.running()).toEqual(["first"]);
});

test("a scenario that locks the machine runs alone", async () => {
  const schedule = openSchedule();
  await schedule.begin("measured", ["machine"], []);
  await schedule.begin("other", [], []);
  await schedule.begin("another", [], []);
  expect(schedule.running()).toEqual(["measured"]);
  await schedule.end("measured");
  expect(schedule.running()).toEqual(["other", "another"]);
});

test("a part is locked on one ground only, and the machine on all grounds", async () => {
  const schedule = openSchedule();
  await schedule.begin("node stops", ["node"]);
  await schedule.begin("elsewhere", ["node"], PARTS, "there");
  await schedule.begin("measured", ["machine"], [], "there");
  expect(schedule.running()).toEqual(["node stops", "elsewhere"]);
  await schedule.end("elsewhere");
  expect(schedule.running()).toEqual(["node stops"]);
  await schedule.end("node stops");
  expect(schedule.running()).toEqual(["measured"]);
});

test("a scenario runs on the first of its grounds that becomes free", async () => {
  const schedule = openSchedule();
  await schedule.begin("long", ["node"], PARTS, "here", "there");
  await schedule.begin("short", ["konductor"], PARTS, "here", "there");
  await schedule.begin("next", ["node"], PARTS, "here", "there");
  expect(schedule.running()).toEqual(["long here", "short there"]);
  await schedule.end("short");
  expect(schedule.running()).toEqual(["long here", "next there"]);
});

test("a scenario that fails releases its locks", async () => {
  const schedule = createSchedule({ width: 1 });
  const failed = schedule.run({ grounds: ["here"], locks: ["node"], uses: [] }, () =>
    Promise.reject(new Error("failed")),
  );
  await expect(failed).rejects.toThrow("failed");
  await expect(
    schedule.run({ grounds: ["here"], locks: [], uses: ["node"] }, async () => "next"),
  ).resolves.toBe("next");
});
