/**
 * A kubelet with one of its pods. It runs the real gate and the real keeper, starts and restarts them as a kubelet does, and writes the pod's
 * status late, or not at all while its node is cut off. How it ends a pod is in pod-end.ts.
 */

import { LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import { readSettings } from "../../src/lease/settings.ts";
import { defined, textMap } from "../../src/shared/json.ts";
import { EXIT, LEASE_LABEL } from "../../src/shared/names.ts";
import { createPodEnd } from "./pod-end.ts";
import { createPodLife, type KubeletOptions } from "./pod-life.ts";
import { LEASE_NAME, metadataOf, NAMESPACE } from "./pod-object.ts";
import type { TruePod } from "./true-pod.ts";

const KEEPER_BACKOFF_MS = [1_000, 14_000, 28_000];
const MAIN_BACKOFF_MS = 10_000;
const GATE_BACKOFF_MS = 5_000;
const KILLED_AT_FENCE_AFTER_MS = 2_000;
/** The shortest grace period that a kubelet allows. */
const LEAST_GRACE_SECONDS = 1;

export function startPod(options: KubeletOptions): TruePod {
  const { cluster, random, note, node, wish, uid, claim } = options;
  const { scheduler, store } = cluster;
  const { name } = wish;
  const ref = { namespace: NAMESPACE, name };
  const life = createPodLife(options);
  const { programs, way, gate, keeper, main, later, isDead } = life;
  const { complete, terminate, termKeeper, finish } = createPodEnd(life, options);
  let hasRun = false;
  /** A keeper that is stopped alone. */
  let patched: typeof life.keeperRun;
  let runs = 0;
  let keeperCrashes = 0;

  function mayEndByTime(): boolean {
    const lease = store.find(LEASES, { namespace: NAMESPACE, name: LEASE_NAME });
    const policy = lease && parseLease(lease).spec.handoverPolicy;
    return policy === "AfterExpiry" || (policy === undefined && wish.selfFencing);
  }

  function runGate(): void {
    life.start(gate);
    const { process, result } = programs.gate();
    life.gateProcess = process;
    const planned = life.run;
    void result.then(({ exitCode, message }) => {
      if (life.run === planned && !life.isOver) gateEnded(exitCode, message);
    });
  }
  function gateEnded(exitCode: number, message?: string): void {
    life.gateProcess?.kill();
    life.gateProcess = undefined;
    life.ended(gate, exitCode, message);
    if (exitCode === EXIT.refused && message?.includes("(BadRequest)")) noteRefusal();
    if (life.isEnding || life.isOver) return;
    if (exitCode === EXIT.done) later(20, 100, startKeeper);
    else if (wish.restartPolicy === "Never") finish("Failed");
    else later(GATE_BACKOFF_MS, GATE_BACKOFF_MS, runGate);
  }

  function noteRefusal(): void {
    const annotations = textMap(metadataOf(store.find(PODS, ref))["annotations"]);
    if (readSettings({ labels: { [LEASE_LABEL]: LEASE_NAME }, annotations }).ok)
      note({ what: "misread", who: name });
  }

  function startKeeper(): void {
    runKeeper();
    life.phase = "Running";
    later(100, 700, startMain);
  }
  function runKeeper(): void {
    life.start(keeper);
    const started = programs.keep();
    life.keeperRun = started;
    void started.result.then((exitCode) => {
      if (life.keeperRun === started && started !== patched && !life.isOver) keeperEnded(exitCode);
    });
  }
  function keeperEnded(exitCode: number): void {
    life.keeperRun?.process.kill();
    life.keeperRun = undefined;
    life.ended(keeper, exitCode);
    if (life.isEnding || life.isOver) return;
    if (exitCode === EXIT.fenced && options.off?.ignoresFences) return;
    if (exitCode === EXIT.fenced && wish.selfFencing) {
      fence();
      return;
    }
    const backoffMs = KEEPER_BACKOFF_MS[keeperCrashes++] ?? 28_000;
    later(backoffMs, backoffMs, runKeeper);
  }

  function startMain(): void {
    if (keeper.state !== "running" && keeperCrashes === 0) return;
    if (main.state === "running") return;
    life.start(main);
    hasRun = true;
    const key = wish.annotations["once"];
    note({ what: "runs", who: life.who, claim, ...defined({ key }) });
    const exitCode = wish.exitCodes[runs++] ?? 0;
    later(wish.worksForMs, wish.worksForMs, () => {
      if (main.state === "running") mainEnded(exitCode);
    });
  }
  function mainEnded(exitCode: number): void {
    life.stopMain(exitCode);
    if (exitCode !== 0 && wish.restartPolicy === "OnFailure")
      later(MAIN_BACKOFF_MS, MAIN_BACKOFF_MS, startMain);
    else complete(exitCode);
  }

  /** RestartAllContainers: TERM, KILL 2 s later, and the init containers again; the status shows the old main for a while. */
  function fence(): void {
    note({ what: "troubled", claim, why: "fenced" });
    if (main.state === "terminated" && main.exitCode === 0) return;
    life.run++;
    later(100, 2_000, () => {
      life.stopMain(life.exitCodeWithin(KILLED_AT_FENCE_AFTER_MS));
      again();
    });
  }
  function again(): void {
    life.run++;
    life.keeperRun?.process.kill();
    life.keeperRun = undefined;
    if (keeper.state === "running") keeper.state = "terminated";
    keeperCrashes = 0;
    later(200, 1_000, runGate);
  }

  const pod: TruePod = {
    ...{ name, uid, claim, wish, node, way },
    get isOver() {
      return life.isOver || isDead();
    },
    get isEnding() {
      return life.isEnding;
    },
    get main() {
      return isDead() ? "terminated" : main.state;
    },
    get keeper() {
      return life.keeperRun?.process;
    },
    get gate() {
      return life.gateProcess;
    },
    get waitsSinceMs() {
      return life.gateProcess && gate.startedMs;
    },
    get hasRun() {
      return hasRun;
    },
    look() {
      if (node.state !== "up" || isDead()) return;
      const metadata = metadataOf(store.find(PODS, ref));
      life.report();
      const isGone = metadata["uid"] !== uid;
      if (life.isOver || (!isGone && metadata["deletionTimestamp"] === undefined)) return;
      const graceSeconds = isGone ? undefined : metadata["deletionGracePeriodSeconds"];
      const graceMs = Math.max(Number(graceSeconds ?? wish.graceSeconds), LEAST_GRACE_SECONDS) * 1_000;
      const { keeperRun } = life;
      const isWell =
        keeperRun !== undefined && keeperRun !== patched && main.state === "running" && !life.isEnding;
      if (isGone && isWell && claim === uid && mayEndByTime()) note({ what: "vanished", claim, graceMs });
      scheduler.after(random.between(50, 1_000), () => {
        if (node.state === "up") terminate(graceMs);
      });
    },
    endAtDeadline: () => terminate(wish.graceSeconds * 1_000),
    crashKeeper() {
      if (!life.keeperRun || life.isEnding) return;
      note({ what: "troubled", claim, why: "its keeper was killed" });
      keeperEnded(137);
    },
    patchKeeper() {
      if (!life.keeperRun || life.isEnding || life.isOver) return;
      note({ what: "troubled", claim, why: "its keeper's image was patched" });
      const told = life.keeperRun;
      programs.announce();
      later(100, 150, () => {
        if (life.keeperRun !== told) return;
        patched = told;
        termKeeper(() => {
          if (life.keeperRun !== told) return;
          told.process.kill();
          life.keeperRun = undefined;
          later(300, 1_000, () => {
            if (!life.isEnding) runKeeper();
          });
        });
      });
    },
    loseSandbox() {
      if (life.isOver || life.isEnding || gate.state === "waiting") return;
      note({ what: "troubled", claim, why: "sandbox lost" });
      life.run++;
      life.stopMain(life.exitCodeWithin(Number.POSITIVE_INFINITY));
      life.gateProcess?.kill();
      if (life.keeperRun) programs.announce();
      const told = life.keeperRun;
      life.keeperRun = undefined;
      told?.terminate();
      const isLost = wish.restartPolicy === "Never" && hasRun;
      later(200, 500, () => {
        told?.process.kill();
        if (isLost) finish("Failed");
        else again();
      });
    },
    killGate() {
      if (life.gateProcess) gateEnded(137);
    },
    die() {
      if (main.state === "running" && !life.isOver) note({ what: "stops", who: life.who });
      note({ what: "troubled", claim, why: "its node died" });
      life.gateProcess?.kill();
      life.keeperRun?.process.kill();
    },
  };
  scheduler.after(random.between(100, 400), () => {
    if (isDead()) return;
    if (!life.isOver && !life.isEnding) runGate();
  });
  return pod;
}
