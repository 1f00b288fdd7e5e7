import { expect, test } from "vitest";
import { readOptions } from "../../sim/options.ts";

const DEFAULTS = { stories: 1_000, seed: 1, keep: undefined, isTraced: false, most: 10 };

test.each<[string[], Record<string, string>, object]>([
  [[], {}, {}],
  [[], { STORIES: "20", SEED: "7" }, { stories: 20, seed: 7 }],
  [["--stories", "20", "--seed", "7", "--most", "1"], {}, { stories: 20, seed: 7, most: 1 }],
  [["--seed", "8"], { SEED: "7" }, { seed: 8 }],
  [[], { STORIES: "1", KEEP: "0,3", TRACE: "on" }, { stories: 1, keep: [0, 3], isTraced: true }],
  [[], { STORIES: "", SEED: "" }, {}],
])("%j with %j", (args, env, expected) => {
  expect(readOptions(args, env)).toEqual({ ...DEFAULTS, ...expected });
});

test.each<[string[], Record<string, string>, string]>([
  [["--bogus"], {}, "--bogus"],
  [["20"], {}, "20"],
  [["--stories", "many"], {}, "STORIES=many is not known"],
  [[], { SEED: "-1" }, "SEED=-1 is not known"],
  [[], { STORIES: "0" }, "STORIES=0 tells no story"],
  [[], { KEEP: "1" }, "say STORIES=1 as well"],
  [[], { STORIES: "1", KEEP: "x" }, "KEEP=x is not known"],
  [[], { TRACE: "yes" }, "TRACE=yes is not known"],
])("%j with %j is refused", (args, env, why) => {
  expect(() => readOptions(args, env)).toThrow(why);
});
