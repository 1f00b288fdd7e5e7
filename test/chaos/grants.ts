/** The holds of one klease, put together from what was seen of them at different times. */
import type { Sighting } from "./history.ts";

export type Grant = Omit<Sighting, "lease">;

/** In the order of their tokens. Sightings that agree are one grant; a token that was given twice stays two. */
export function grantsOf(sightings: readonly Sighting[]): Grant[] {
  const grants = new Map<string, Grant>();
  for (const { lease: _, ...sighting } of sightings) {
    const key = `${sighting.token} ${sighting.holder} ${sighting.acquiredMs}`;
    grants.set(key, { ...grants.get(key), ...sighting });
  }
  return [...grants.values()].toSorted((a, b) => a.token - b.token || a.acquiredMs - b.acquiredMs);
}
