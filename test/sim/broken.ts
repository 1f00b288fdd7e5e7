import type { World } from "./world.ts";

/** The current faults of each world. */
const broken = new WeakMap<World, Set<() => void>>();

/** Breaks something for a while. `begin` returns the function that mends it. */
export function breakFor(world: World, name: string, ms: number, begin: () => () => void): void {
  const now = broken.get(world) ?? new Set();
  broken.set(world, now);
  world.note({ what: "fault", name });
  const end = begin();
  const mend = () => {
    if (!now.delete(mend)) return;
    end();
    if (now.size === 0) world.note({ what: "calm" });
  };
  now.add(mend);
  world.scheduler.after(ms, mend);
}

/**
 * Breaks something for which the other parts make up, so that the rules must hold soon afterwards, however long the fault lasts. `begin`
 * returns the function that mends it.
 */
export function breakInPart(world: World, name: string, ms: number, begin: () => () => void): void {
  strike(world, name);
  world.scheduler.after(ms, begin());
}

/** Notes a fault that is over at once. */
export function strike(world: World, name: string): void {
  world.note({ what: "fault", name });
  if ((broken.get(world)?.size ?? 0) === 0) world.note({ what: "calm" });
}

/** Mends everything that is still broken, except partial faults. */
export function mendAll(world: World): void {
  for (const mend of [...(broken.get(world) ?? [])]) mend();
}
