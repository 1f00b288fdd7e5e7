/** One pod holds, another waits behind it: the start of most scenarios in which a hold ends. */
import { expect } from "vitest";
import type { Hold, Lease } from "../../src/lease/types.ts";
import { toBootMs } from "./boot-time.ts";
import { overlaps, type Run } from "./journal.ts";
import type { Stage } from "./stage.ts";
import type { Workload } from "./workload.ts";

/** The time between two signs of life of main, and the rounding of clocks. */
export const BEAT_MS = 150;
/**
 * From the last sign of life of one main to the first of the next, if both pods exist. The kubelet takes most of it: it reports the end of the first
 * main and starts the next pod's keeper and main, while other scenarios run.
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

/** Resolves with a hold that belongs to a pod other than that of `past`, once the pod's main runs. */
export async function activeHold(stage: Stage, past?: Hold): Promise<Hold> {
  const isActive = ({ status: { hold } }: Lease) =>
    hold?.confirmed === true && hold.ref.uid !== past?.ref.uid;
  const { status } = await stage.lease("a pod to be active", isActive);
  if (!status.hold) throw new Error("the klease was read as held, and is not");
  await stage.runs(status.hold.holder, 1);
  return status.hold;
}

/**
 * Waits until the klease is at rest. Checks that the klease was granted to `next` only when the main before it was over, and that no two mains ran at
 * once. Resolves with the first run of `next`, and with the run before it.
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
