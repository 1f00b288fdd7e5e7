/** The one of `words` that `typed` was probably meant to be: at most two letters wrong, missing or too many. */
export function closest(typed: string, words: readonly string[]): string | undefined {
  const [best] = words
    .filter((word) => Math.abs(word.length - typed.length) <= 2)
    .map((word) => ({ word, distance: editDistance(typed, word) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance);
  return best?.word;
}

/** Levenshtein's distance: how many letters must be changed, added or taken away. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...b].entries()) {
      const substitution = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(substitution, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
