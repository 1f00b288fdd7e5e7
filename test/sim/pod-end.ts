/** How a kubelet ends a pod: in which order, and in what time. The comments give what was measured on a real kubelet. */

import type { KubeletOptions, PodLife } from "./pod-life.ts";
import type { Phase } from "./pod-object.ts";

export interface PodEnd {
  /** Main has ended by itself, and does not restart. */
  complete(exitCode: number): void;
  /** The pod is being deleted. */
  terminate(graceMs: number): void;
  /** Tells the keeper to stop, and waits until it has, for the grace period at most. May call `then` more than once. */
  termKeeper(then: () => void): void;
  /** Nothing of the pod runs from now on. */
  finish(last: Phase): void;
}

export function createPodEnd(life: PodLife, { note, wish, uid, claim }: KubeletOptions): PodEnd {
  const { gate, keeper, main, later } = life;

  function endKeeper(afterPreStopMs: number, then: () => void): void {
    if (!life.keeperRun) {
      then();
      return;
    }
    life.programs.announce();
    later(afterPreStopMs, afterPreStopMs + 10, () => termKeeper(then));
  }

  function termKeeper(then: () => void): void {
    const told = life.keeperRun;
    if (!told) {
      then();
      return;
    }
    const planned = life.run;
    told.terminate();
    const stopped = () => {
      if (life.run === planned && !life.isOver && !life.isDead()) then();
    };
    void told.result.then(stopped);
    told.process.onDeath(stopped);
    later(wish.graceSeconds * 1_000 + 2_000, wish.graceSeconds * 1_000 + 2_000, stopped);
  }

  function finish(last: Phase): void {
    if (life.isOver) return;
    life.stopMain(137);
    if (claim === uid) note({ what: "troubled", claim, why: "deleted, or over" });
    life.phase = last;
    life.isOver = true;
    life.gateProcess?.kill();
    if (gate.state === "running") life.ended(gate, 137);
    if (keeper.state === "running") life.ended(keeper, 0);
    life.keeperRun?.process.kill();
    life.report();
  }

  return {
    /** After main's end the keeper's preStop follows within 0.8 s, and its SIGTERM 0.1 s later. */
    complete(exitCode) {
      life.isEnding = true;
      if (exitCode === 0) note({ what: "succeeded", claim: uid });
      later(300, 770, () => endKeeper(100, () => finish(exitCode === 0 ? "Succeeded" : "Failed")));
    },

    /**
     * The keeper's preStop runs beside main's TERM. Its SIGTERM comes when main has exited, or, at the end of the grace period, before main is
     * killed.
     */
    terminate(graceMs) {
      if (life.isEnding || life.isOver) return;
      life.isEnding = true;
      life.run++;
      note({ what: "troubled", claim, why: "deleted" });
      life.gateProcess?.kill();
      if (main.state !== "running") {
        endKeeper(40, () => finish("Failed"));
        return;
      }
      if (life.keeperRun) life.programs.announce();
      if (wish.stopsWithinMs < graceMs)
        later(wish.stopsWithinMs, wish.stopsWithinMs, () => {
          const exitCode = wish.exitCodeAtTerm;
          life.stopMain(exitCode);
          later(40, 60, () => termKeeper(() => finish(exitCode === 0 ? "Succeeded" : "Failed")));
        });
      else
        later(graceMs, graceMs, () => {
          termKeeper(() => undefined);
          later(200, 1_700, () => finish("Failed"));
        });
    },

    termKeeper,
    finish,
  };
}
