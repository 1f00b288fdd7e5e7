import fc from "fast-check";
import { Broken } from "./api.ts";

/** What was broken in the last story that was told: a story that breaks `invariant`, if one of them does. Its sentence, or "nothing". */
export function findBroken<S>(
  stories: fc.Arbitrary<S>,
  tell: (story: S) => unknown,
  invariant: string,
): string {
  let broken = "nothing";
  fc.check(
    fc.property(stories, (story) => {
      try {
        tell(story);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        broken = error.message;
      }
      return !broken.startsWith(invariant);
    }),
    // A seed of its own: that there is a counterexample is a fact, how soon it is found is luck.
    { numRuns: 20_000, seed: 3, endOnFailure: true },
  );
  return broken;
}
