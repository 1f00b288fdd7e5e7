import { expect, test } from "vitest";
import { drawStory, tell } from "../../../sim/story.ts";

/** 1,000 stories in all, in as many files, which run beside each other. */
const PARTS = 4;
const STORIES = 1_000 / PARTS;
const LONGEST_MS = 300_000;

/**
 * The real arbiter, election, caches, gate API, gates, keepers and lease clients in a simulated cluster (test/sim), and everything that can
 * go wrong around them: test/sim/check.ts says what must hold. `make sim` tells more stories, and the shortest that breaks a rule.
 */
export function testStories(part: number): void {
  const first = 1 + (part - 1) * STORIES;
  test(
    `no story from ${first} to ${first + STORIES - 1} breaks a rule`,
    async () => {
      const broken: string[] = [];
      for (let seed = first; seed < first + STORIES; seed++) {
        const { violations } = await tell(drawStory(seed));
        const [violation] = violations;
        if (violation !== undefined) broken.push(`${violation} (make sim STORIES=1 SEED=${seed})`);
      }
      expect(broken).toEqual([]);
    },
    LONGEST_MS,
  );
}
