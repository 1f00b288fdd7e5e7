/**
 * How a pod's containers are stopped: all at once, each after its preStop hook. Sidecars get SIGTERM only when the mains and the later sidecars have
 * ended, or when the grace period runs out. A port of `killContainersWithSyncResult`, `killContainer`, `executePreStopHook` and `terminationOrdering`
 * of kubelet 1.37, which rounds down to whole seconds, too.
 */
import type { Clock } from "../../../src/shared/clock.ts";
import type { Container, Hook, Pod } from "./pod.ts";

/** The part of a running container that stopping it needs. */
export interface Stoppable {
  readonly container: Container;
  /** Resolves when no process of the container is left. */
  readonly exited: Promise<unknown>;
  terminate(): void;
  kill(): void;
  /** Resolves when the hook has ended, however it ended. */
  runHook(hook: Hook): Promise<void>;
}

/** "always give containers a minimal shutdown window": even a force-deleted pod gets it. */
const SHORTEST_STOP_SECONDS = 2;

/** Returns when all of `running` have ended: at latest a little after `graceSeconds` (a hook may use up all of them). */
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

/** Waits for `done`, at most `limitSeconds`; resolves with the whole seconds that passed. */
async function secondsUntil(done: Promise<unknown>, limitSeconds: number, clock: Clock): Promise<number> {
  const startedAtMs = clock.monotonicMs();
  const limit = Promise.withResolvers<void>();
  const cancel = clock.after(limitSeconds * 1000, limit.resolve);
  await Promise.race([done, limit.promise]);
  cancel();
  return Math.floor((clock.monotonicMs() - startedAtMs) / 1000);
}
