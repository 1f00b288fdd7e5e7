/**
 * The simulation finds what it is meant to find. With one guard switched off, some story breaks the rule that the guard protects, and the same
 * story breaks no rule with all guards.
 */
import { resolve } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { GUARDS } from "../../sim/guards/guards.ts";
import * as real from "../../sim/story.ts";

const STORIES = 200;
const RULES = [
  "again",
  "calls",
  "dead",
  "ending",
  "forgotten",
  "healthy",
  "idle",
  "noted",
  "order",
  "owner",
  "proof",
  "spared",
  "tokens",
  "told",
  "tries",
  "two",
];

beforeEach(() => vi.resetModules());

test("each rule is protected by a guard", () => {
  const rules = new Set(Object.values(GUARDS).map(({ rule }) => rule));
  expect([...rules].sort()).toEqual(RULES);
});

test.each(Object.entries(GUARDS))(
  "a rule breaks without this: %s",
  async (_, { rule, off, ...story }) => {
    const { modules = [] } = off;
    for (const { path, replace } of modules) vi.doMock(resolve(path), replace);
    // Replaced modules take effect only in modules that are loaded anew.
    const { tell } = modules.length > 0 ? await import("../../sim/story.ts") : real;
    for (const { path } of modules) vi.doUnmock(resolve(path));
    const found = new Set<string | undefined>();
    for (let seed = 1; seed <= STORIES && !found.has(rule); seed++) {
      const drawn = real.drawStory(seed, story);
      const { violations } = await tell(drawn, { off });
      for (const violation of violations) found.add(violation.split(":")[0]);
      if (found.has(rule)) expect((await real.tell(drawn)).violations).toEqual([]);
    }
    expect([...found]).toContain(rule);
  },
  120_000,
);
