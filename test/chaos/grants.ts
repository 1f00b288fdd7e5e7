/** The holds of one klease, merged from sightings at different times. */
import type { JobRecord, Sighting, WorkloadRun } from "./history.ts";

export type Grant = Omit<Sighting, "lease">;

/** Grants in the order of their tokens. Sightings that agree are one grant; a token that was given twice yields two. */
export function grantsOf(sightings: readonly Sighting[]): Grant[] {
  const grants = new Map<string, Grant>();
  for (const { lease: _, ...sighting } of sightings) {
    const key = `${sighting.token} ${sighting.holder} ${sighting.acquiredMs}`;
    grants.set(key, { ...grants.get(key), ...sighting });
  }
  return [...grants.values()].toSorted((a, b) => a.token - b.token || a.acquiredMs - b.acquiredMs);
}

/** Whether the run's pod, or the Job of that pod, was granted. */
export function isUnder({ by }: WorkloadRun, { holder }: Grant): boolean {
  return holder === by || isPodOf(by, { name: holder });
}

/** The Job controller appends five characters to the Job's name. */
export function isPodOf(pod: string, { name }: Pick<JobRecord, "name">): boolean {
  return pod.startsWith(`${name}-`) && pod.length === name.length + 6;
}
