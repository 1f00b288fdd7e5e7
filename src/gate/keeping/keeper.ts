/**
 * The keeper: renews the pod's hold while main runs, fences the pod when the hold cannot be kept, releases it at SIGTERM.
 *
 * It promises, where it can fence: at *stop* before the deadline (counted from the sending of the last renewal that was
 * answered, by a clock that includes suspended time) or as soon as the server refuses the hold, it marks the hold as lost and
 * ends with {@link EXIT.fenced}, upon which the kubelet stops main. After SIGTERM it ends with {@link EXIT.done}, never fenced.
 * Limits: it needs its share of the CPU, and a kubelet that acts on the exit code. Where it cannot fence, or must not
 * (`on-lost: continue`), it says what happens and goes on renewing, so that the log stays true.
 */
import { EXIT } from "../../shared/names.ts";
import type { GateConfig } from "../config.ts";
import type { Context } from "../gate-context.ts";
import { sleepUntil } from "../sleep-until.ts";
import { type KeeperHold, keeperHold } from "./keeper-hold.ts";
import { releaseHold } from "./release-by-keeper.ts";
import { keepRenewing, type Loss } from "./renewals.ts";

/** After a loss that does not end the keeper, the deadline is looked at again this often. */
const LOOK_AGAIN_MS = 1_000;

/** SIGTERM, and when it came by the boot clock. */
export interface Termination {
  signal: AbortSignal;
  atMs(): number | undefined;
}

/** Resolves with the exit code of the keeper. */
export async function runKeeper(context: Context, termination: Termination): Promise<number> {
  const { config, log, trustFile, prestopFile, bootMs, route } = context;
  const stored = context.holdFile.read(config.lease);
  if (stored === undefined) return termination.signal.aborted ? EXIT.done : withoutHold(context);
  for (const contact of [stored, trustFile.read()]) if (contact) route.recall(contact);
  const hold = keeperHold(context, stored);
  await untilLostOrTerminated(context, hold, termination.signal);
  if (!termination.signal.aborted) return EXIT.fenced;
  log.info(`this pod is asked to stop: releasing klease ${config.lease}`);
  const termMs = termination.atMs() ?? bootMs();
  const beganMs = prestopFile.read(termMs);
  const sincePreStopMs = beganMs === undefined ? undefined : termMs - beganMs;
  const fenceDueMs = fences(config) ? hold.deadlineMs - config.stopMs : Number.POSITIVE_INFINITY;
  await releaseHold(context, hold, { atMs: termMs, sincePreStopMs, fenceDueMs });
  return EXIT.done;
}

/**
 * The gate always leaves a hold, so here the volume's content was lost or spoilt, and main may run under a hold that nobody
 * renews. Fencing sends the pod back to its gate, which asks the server; a pod that may not rerun must fail there, hence the mark.
 */
function withoutHold(context: Context): number {
  const { config, log, bootMs } = context;
  log.info(`no hold of klease ${config.lease} is stored in ${config.stateDir}, so it cannot be renewed`);
  if (!fences(config)) return EXIT.badConfiguration;
  const unknown = { token: 0, ttlMs: 0, deadline: bootMs(), ca: undefined, urls: [] };
  keeperHold(context, { lease: config.lease, state: "held", ...unknown }).lose();
  return EXIT.fenced;
}

/** Resolves when the pod has to be fenced, its hold marked as lost, or when `terminated` is aborted. */
async function untilLostOrTerminated(
  context: Context,
  hold: KeeperHold,
  terminated: AbortSignal,
): Promise<void> {
  const { config, log } = context;
  const ended = new AbortController();
  const signal = AbortSignal.any([terminated, ended.signal]);
  const lose = (why: string): void => {
    if (signal.aborted) return;
    if (!hold.lost) {
      log.info(`the hold of klease ${config.lease} is lost: ${why}; ${consequence(config)}`);
      hold.lose();
    }
    if (fences(config)) ended.abort();
  };
  if (hold.lost) lose("it was marked so before the keeper started");
  const loss = { marginMs: fences(config) ? config.stopMs : 0, lose };
  try {
    await Promise.all([
      watchDeadline(context, hold, loss, signal),
      keepRenewing(context, hold, loss, signal),
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Calls `lose` whenever the hold's deadline has come so near that main must begin to stop. */
async function watchDeadline(
  context: Context,
  hold: KeeperHold,
  { marginMs, lose }: Loss,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await sleepUntil(context, () => hold.deadlineMs - marginMs, signal);
    lose("it could not be renewed in time");
    await context.clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

function fences({ fencing, onLost }: GateConfig): boolean {
  return fencing && onLost === "terminate";
}

function consequence({ fencing, onLost }: GateConfig): string {
  if (onLost === "continue") return "main continues, so two may run (on-lost: continue)";
  if (fencing) return "the kubelet stops main now and runs the pod again from its gate";
  return "this pod cannot stop its main container itself; konductor deletes the pod";
}
