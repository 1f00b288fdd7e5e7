/** A pod on its node as it truly is: its containers, the programs in them, and how its kubelet reports them. */
import type { Cluster } from "./api/cluster.ts";
import type { Switch } from "./guards/switch.ts";
import type { Note } from "./history.ts";
import { type Container, type Phase, type PodWish, podStatus } from "./pod-object.ts";
import { type PodPrograms, podPrograms } from "./pod-programs.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Service, Way } from "./service.ts";
import { statusWriter } from "./status-writer.ts";
import type { Node } from "./true-pod.ts";

export interface KubeletOptions {
  cluster: Cluster;
  random: Random;
  service: Service;
  note: Note;
  node: Node;
  wish: PodWish;
  uid: string;
  /** The claimant under whose hold the pod runs. */
  claim: string;
  /** A guard that is switched off. */
  off?: Switch | undefined;
}

export interface PodLife {
  /** The pod, told apart from others of its name. */
  readonly who: string;
  readonly programs: PodPrograms;
  readonly way: Way;
  readonly gate: Container;
  readonly keeper: Container;
  readonly main: Container;
  phase: Phase;
  isOver: boolean;
  isEnding: boolean;
  gateProcess: Process | undefined;
  keeperRun: ReturnType<PodPrograms["keep"]> | undefined;
  /** The number of the run of the pod or of main. Whatever was planned for an earlier run is void. */
  run: number;
  isDead(): boolean;
  /** Acts some time from now, unless another run has begun before. */
  later(leastMs: number, mostMs: number, act: () => void): void;
  start(container: Container): void;
  ended(container: Container, exitCode: number, message?: string): void;
  stopMain(exitCode: number): void;
  /** The exit code of a main that has `ms` to end after its TERM. */
  exitCodeWithin(ms: number): number;
  /** Writes its status a while later. */
  report(): void;
}

export function createPodLife(options: KubeletOptions): PodLife {
  const { cluster, random, note, node, wish, uid } = options;
  const { scheduler } = cluster;
  const way: Way = { isCut: () => node.state !== "up", late: undefined, isDeaf: false };
  const life: PodLife = {
    who: `${wish.name} (${uid})`,
    programs: podPrograms({ ...options, scheduler, way }),
    way,
    gate: { state: "waiting" },
    keeper: { state: "waiting" },
    main: { state: "waiting" },
    phase: "Pending",
    isOver: false,
    isEnding: false,
    gateProcess: undefined,
    keeperRun: undefined,
    run: 0,
    isDead: () => node.state === "dead",
    later(leastMs, mostMs, act) {
      const planned = life.run;
      scheduler.after(random.between(leastMs, mostMs), () => {
        if (life.run === planned && !life.isOver && !life.isDead()) act();
      });
    },
    start(container) {
      delete container.exitCode;
      Object.assign(container, { state: "running", startedMs: scheduler.nowMs() });
      life.report();
    },
    ended(container, exitCode, message) {
      Object.assign(container, { state: "terminated", exitCode, finishedMs: scheduler.nowMs() });
      if (message !== undefined) container.message = message;
      else delete container.message;
      life.report();
    },
    stopMain(exitCode) {
      if (life.main.state !== "running") return;
      note({ what: "stops", who: life.who });
      life.ended(life.main, exitCode);
    },
    exitCodeWithin: (ms) => (wish.stopsWithinMs < ms ? wish.exitCodeAtTerm : 137),
    report: statusWriter({ cluster, random, node, name: wish.name, uid }, () => ({
      isOver: life.isOver,
      status: podStatus(life.phase, life, node.machine.wallErrorMs),
    })),
  };
  return life;
}
