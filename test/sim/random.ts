/** Random numbers that depend only on a seed (the generator sfc32), so that a story can be replayed. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** One of several items, of which there must be at least one. */
  pick<T>(from: readonly T[]): T;
}

export function createRandom(...seeds: number[]): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  function step(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  for (const seed of seeds) {
    a ^= seed;
    for (let rounds = 0; rounds < 12; rounds++) step();
  }
  const next = () => step() / 2 ** 32;
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick<T>(from: readonly T[]) {
      const [picked] = from.slice(between(0, from.length - 1));
      return picked as T;
    },
  };
}
