/** One pod holds, another one waits behind it: how most holds end in scenarios. */
import { expect } from "vitest";
import type { Hold, Lease } from "../../src/lease/types.ts";
import { toBootMs } from "./boot-time.ts";
import { overlaps, type Run } from "./journal.ts";
import type { Stage } from "./stage.ts";
import type { Workload } from "./workload.ts";

/** Between two signs of life of main, and what the clocks round off. */
export const BEAT_MS = 150;
/**
 * From the last sign of life of one main to the first of the next, where both pods are there. Most of it is the kubelet's, which says that
 * one has ended and starts keeper and main of the next, beside other scenarios.
 */
export const HANDED_ON_WITHIN_MS = 10_000;

/** Pod `old` holds, and its main runs until it is told to stop; `next` waits. */
export async function holdBefore(
  stage: Stage,
  old: Partial<Workload> = {},
  next: Partial<Workload> = {},
): Promise<Hold> {
  await stage.apply("old", old);
  const hold = await stage.holds("old");
  await stage.runs("old", 1);
  await stage.apply("next", { runsForSeconds: 1, ...next });
  await stage.waits("next");
  return hold;
}

/** Resolves with the hold of a pod whose main runs, which is another one than that of `past`. */
export async function activeHold(stage: Stage, past?: Hold): Promise<Hold> {
  const isActive = ({ status: { hold } }: Lease) =>
    hold?.confirmed === true && hold.ref.uid !== past?.ref.uid;
  const { status } = await stage.lease("a pod to be active", isActive);
  if (!status.hold) throw new Error("the klease was read as held, and is not");
  await stage.runs(status.hold.holder, 1);
  return status.hold;
}

/**
 * Resolves with the first run of `next` and the one before it when the klease is at rest, after it has checked that the klease was granted to
 * `next` only when that one was over, and that no two ran.
 */
export async function handover(stage: Stage, withinMs?: number): Promise<{ old: Run; next: Run }> {
  const [next] = await stage.runs("next", 1, withinMs);
  const { status } = await stage.atRest();
  const runs = (await stage.journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
  const old = runs[runs.findIndex(({ by }) => by === "next") - 1];
  if (!old || !next) throw new Error("main has not run");
  const granted = status.history.findLast(({ holder }) => holder === "next")?.acquiredMs ?? Number.NaN;
  expect(overlaps(runs)).toEqual([]);
  expect(toBootMs(granted)).toBeGreaterThan(old.toMs - BEAT_MS);
  return { old, next };
}
