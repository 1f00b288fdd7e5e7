import { describePause } from "../pause.ts";
import type { HeldBack, Ruled } from "./policy.ts";

/**
 * `spec.paused`: nobody new is granted until somebody resumes the Lease. Whoever holds it goes on. By whom it was paused is known where our
 * webhook saw it; since when, at the latest once the condition Paused says so.
 */
export function paused(lease: Ruled): HeldBack | undefined {
  const { name, spec, status, pause } = lease;
  if (!spec.paused) return undefined;
  const condition = status.conditions.find(({ type, status }) => type === "Paused" && status === "True");
  const why = describePause(lease, pause?.sinceMs ?? condition?.lastTransitionMs);
  return { rule: "Paused", why, undo: `koncli lease resume ${name}` };
}
