import { expect, test } from "vitest";
import { drawStory, tell } from "../../sim/story.ts";

test("a replayed story has exactly the same history", async () => {
  for (const seed of [3, 16, 36]) {
    const [first, second] = [await tell(drawStory(seed)), await tell(drawStory(seed))];
    expect(first.world.history.length).toBeGreaterThan(5);
    expect(second.world.history).toEqual(first.world.history);
  }
});
