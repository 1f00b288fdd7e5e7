import type { World } from "./world.ts";

/** What is broken now, by world. */
const broken = new WeakMap<World, Set<() => void>>();

/** Breaks something for a while; `begin` returns what mends it. */
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
 * Something breaks that the others make good for: what must hold must hold soon after it, for as long as it lasts. `begin` returns what
 * mends it.
 */
export function breakInPart(world: World, name: string, ms: number, begin: () => () => void): void {
  strike(world, name);
  world.scheduler.after(ms, begin());
}

/** Something breaks, and is as it was at once. */
export function strike(world: World, name: string): void {
  world.note({ what: "fault", name });
  if ((broken.get(world)?.size ?? 0) === 0) world.note({ what: "calm" });
}

/** Mends everything that is still broken, but for what is broken in part. */
export function mendAll(world: World): void {
  for (const mend of [...(broken.get(world) ?? [])]) mend();
}
