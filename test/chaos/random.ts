/** Pseudorandom numbers: the same for the same seed, on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer in [from, to). */
  between(from: number, to: number): number;
  /** One of the items; throws if there is none. */
  pick<T>(items: readonly T[]): T;
  /** True in `chance` of a hundred cases. */
  percent(chance: number): boolean;
}

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number) => from + Math.floor(next() * (to - from));
  return {
    next,
    between,
    percent: (chance) => next() * 100 < chance,
    pick(items) {
      const item = items[between(0, items.length)];
      if (item === undefined) throw new Error("there is nothing to pick from");
      return item;
    },
  };
}
