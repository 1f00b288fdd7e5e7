import type { Environment } from "./environment.ts";
import type { Lock } from "./schedule.ts";

/** The environment as a scenario has it: what it has not locked it cannot take away from those that run beside it. */
export function lockedTo(environment: Environment, locks: readonly Lock[]): Environment {
  /** `act`, if the scenario has the lock. */
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
