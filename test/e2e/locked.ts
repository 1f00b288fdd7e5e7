import type { Environment } from "./environment.ts";
import type { Lock } from "./schedule.ts";

/** Restricts an environment to the scenario's locks: a scenario can only disturb what it has locked. */
export function lockedTo(environment: Environment, locks: readonly Lock[]): Environment {
  /** Wraps `act`: a call throws unless the scenario has the lock. */
  const holding =
    <A extends unknown[], R>(lock: Lock, act: (...args: A) => R) =>
    (...args: A): R => {
      if (!locks.includes(lock)) throw new Error(`a scenario that takes ${lock} away has to lock it`);
      return act(...args);
    };
  const { konductor, cluster } = environment;
  const { controlPlane, node } = cluster;
  return {
    ...environment,
    konductor: {
      ...konductor,
      killArbiter: holding("konductor", konductor.killArbiter),
      pauseArbiter: holding("konductor", konductor.pauseArbiter),
      stop: holding("konductor", konductor.stop),
    },
    cluster: {
      ...cluster,
      controlPlane: {
        ...controlPlane,
        kill: holding("control plane", controlPlane.kill),
        pause: holding("control plane", controlPlane.pause),
      },
      ...(node && {
        node: {
          ...node,
          kill: holding("node", node.kill),
          pause: holding("node", node.pause),
          stopKubelet: holding("node", node.stopKubelet),
        },
      }),
    },
  };
}
