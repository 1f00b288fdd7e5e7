import { expect, test } from "vitest";
import { drawStory, tell } from "../../../sim/story.ts";

/** The number of files that share 1,000 stories and run side by side. */
const PARTS = 4;
const STORIES = 1_000 / PARTS;
const LONGEST_MS = 300_000;

/**
 * Stories of the real arbiter, election, caches, gate API, gates, keepers and lease clients in a simulated cluster (test/sim) with all kinds
 * of faults. test/sim/check.ts says what must hold. `make sim` tells more stories, and the shortest one that breaks a rule.
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
