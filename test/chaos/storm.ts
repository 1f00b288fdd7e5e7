/** Carries out the rounds of a plan. */
import type { Clock } from "../../src/shared/clock.ts";
import { bootMs } from "../e2e/boot-time.ts";
import type { Calm } from "./calm.ts";
import type { FaultName } from "./faults.ts";
import type { FaultRecord } from "./history.ts";
import { inSeconds, type PlannedFault, type Round } from "./plan.ts";
import type { Strike } from "./strike.ts";

export interface StormOptions {
  rounds: readonly Round[];
  /** Once this time is over, no further round begins. */
  lastsMs: number;
  strikes: Readonly<Record<FaultName, Strike>>;
  calm: Calm;
  /** Whether to continue; asked after each round. */
  goesOn(): Promise<boolean>;
  /** Called with one line for each thing that is done. */
  tell(line: string): void;
  clock: Clock;
}

export interface Storm {
  faults: readonly FaultRecord[];
  /** Planned faults that found nothing to strike. */
  missed: readonly FaultName[];
}

/** A target may appear a moment later. */
const LOOK_FOR_MS = 2_000;
const LOOK_EVERY_MS = 100;
const NEXT_TARGET = 0.3;

/** Resolves when every fault is healed, also if `signal` ends the storm early. Rejects if a fault could not be healed. */
export async function raiseStorm(options: StormOptions, signal: AbortSignal): Promise<Storm> {
  const { rounds, lastsMs, strikes, calm, goesOn, tell, clock } = options;
  const faults: FaultRecord[] = [];
  const missed: FaultName[] = [];
  const beganMs = clock.monotonicMs();
  const sinceBegin = () => inSeconds(clock.monotonicMs() - beganMs);
  const pause = (ms: number) => clock.sleep(Math.max(0, ms), signal).catch(() => undefined);

  async function findAndStrike({ kind, pick }: PlannedFault) {
    const untilMs = clock.monotonicMs() + LOOK_FOR_MS;
    for (let tries = 0; !signal.aborted && clock.monotonicMs() < untilMs; tries++) {
      // A target may have ended a moment ago, which shows as an error: then the next target is tried.
      const struck = await strikes[kind]((pick + tries * NEXT_TARGET) % 1).catch(() => undefined);
      if (struck) return struck;
      await pause(LOOK_EVERY_MS);
    }
    return undefined;
  }

  async function carryOut(fault: PlannedFault): Promise<void> {
    await pause(fault.atMs);
    if (signal.aborted) return;
    const fromMs = bootMs();
    const struck = await findAndStrike(fault);
    if (!struck) {
      missed.push(fault.kind);
      tell(`${sinceBegin()}  ${fault.kind}: nothing to strike`);
      return;
    }
    const { pods, heal } = struck;
    const at = pods && pods.length > 0 ? ` (${pods.join(", ")})` : "";
    tell(`${sinceBegin()}  ${fault.kind}${at}${heal ? ` for ${inSeconds(fault.lastsMs)}` : ""}`);
    const record: FaultRecord = {
      kind: fault.kind,
      fromMs,
      toMs: Number.POSITIVE_INFINITY,
      ...(pods && { pods }),
    };
    faults.push(record);
    if (heal) {
      await pause(fault.lastsMs);
      await heal();
    }
    record.toMs = bootMs();
  }

  for (const [index, round] of rounds.entries()) {
    if (signal.aborted || clock.monotonicMs() - beganMs >= lastsMs) break;
    if (round.calm) await calm.wait(`before round ${index + 1}`, signal);
    tell(`${sinceBegin()}  round ${index + 1}`);
    const ended = await Promise.allSettled(round.faults.map(carryOut));
    const failure = ended.find(({ status }) => status === "rejected");
    if (failure?.status === "rejected")
      throw new Error(`round ${index + 1} could not be healed`, { cause: failure.reason });
    if (round.calm) await calm.wait(`after round ${index + 1}`, signal);
    if (!(await goesOn())) {
      tell(`${sinceBegin()}  not safe any more: no further faults`);
      break;
    }
    await pause(round.restMs);
    await calm.replaceCrashed();
  }
  return { faults, missed };
}
