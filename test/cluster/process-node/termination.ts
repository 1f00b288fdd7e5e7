/**
 * How a pod's containers are stopped: all at once, each after its preStop hook; sidecars get SIGTERM only when the mains and the
 * sidecars behind them have ended, or when the grace period runs out. A port of `killContainersWithSyncResult`, `killContainer`,
 * `executePreStopHook` and `terminationOrdering` of kubelet 1.37, whole seconds rounded down as there.
 */
import type { Clock } from "../../../src/shared/clock.ts";
import type { Container, Hook, Pod } from "./pod.ts";

/** A container that runs, as far as stopping it goes. */
export interface Stoppable {
  readonly container: Container;
  /** Resolves when no process of it is left. */
  readonly exited: Promise<unknown>;
  terminate(): void;
  kill(): void;
  /** Resolves when the hook has ended, however it ended. */
  runHook(hook: Hook): Promise<void>;
}

/** "always give containers a minimal shutdown window": even a force-deleted pod has it. */
const SHORTEST_STOP_SECONDS = 2;

/** Returns when all of `running` have ended: `graceSeconds` after the call or a little later (a hook may use up all of it). */
export async function stopContainers(
  pod: Pod,
  running: readonly Stoppable[],
  graceSeconds: number,
  clock: Clock,
): Promise<void> {
  const stopped = new Map(running.map(({ container }) => [container.name, Promise.withResolvers<void>()]));
  await Promise.all(
    running.map(async (item) => {
      const { name, preStop } = item.container;
      let remaining = graceSeconds;
      if (preStop && remaining > 0) {
        remaining -= await secondsUntil(item.runHook(preStop), remaining, clock);
      }
      if (remaining > 0) {
        const before = stoppedBefore(pod, name).map((earlier) => stopped.get(earlier)?.promise);
        remaining -= await secondsUntil(Promise.all(before), remaining, clock);
      }
      await stop(item, Math.max(remaining, SHORTEST_STOP_SECONDS), clock);
      stopped.get(name)?.resolve();
    }),
  );
}

/** The containers that must have ended before the one named gets SIGTERM. */
export function stoppedBefore(pod: Pod, name: string): string[] {
  const sidecars = pod.initContainers.filter(({ sidecar }) => sidecar).map((container) => container.name);
  const index = sidecars.indexOf(name);
  if (index === -1) return [];
  return [...pod.containers.map((container) => container.name), ...sidecars.slice(index + 1, index + 2)];
}

async function stop(item: Stoppable, graceSeconds: number, clock: Clock): Promise<void> {
  item.terminate();
  const cancel = clock.after(graceSeconds * 1000, () => item.kill());
  await item.exited;
  cancel();
}

/** Waits for `done`, at most `limitSeconds`; says how many whole seconds it took. */
async function secondsUntil(done: Promise<unknown>, limitSeconds: number, clock: Clock): Promise<number> {
  const startedAtMs = clock.monotonicMs();
  const limit = Promise.withResolvers<void>();
  const cancel = clock.after(limitSeconds * 1000, limit.resolve);
  await Promise.race([done, limit.promise]);
  cancel();
  return Math.floor((clock.monotonicMs() - startedAtMs) / 1000);
}
