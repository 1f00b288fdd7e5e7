/** The kubelet and our containers on a node: what happens to a pod by itself, by an event, and as time passes. */
import type { Api } from "./api.ts";
import type { Guards } from "./guards.ts";
import {
  GRACE_MS,
  hasEndedForGood,
  isConnected,
  nextGateRun,
  STOP_MS,
  statusOf,
  type TruePod,
} from "./pod.ts";
import type { Replica } from "./replica.ts";

export interface Node {
  /** The gate's next step: to ask, to confirm, to let the pod through. */
  gate(pod: TruePod): void;
  startMain(pod: TruePod): void;
  exitMain(pod: TruePod, exitCode: number): void;
  restartMain(pod: TruePod): void;
  /** The pod has come to its end: the keeper gets SIGTERM, and releases. */
  finish(pod: TruePod): void;
  crashKeeper(pod: TruePod): void;
  restartKeeper(pod: TruePod): void;
  /** The sandbox is lost and made anew. */
  loseSandbox(pod: TruePod): void;
  /** The kubelet sees that the pod is to be deleted, or has vanished. */
  observeDeletion(pod: TruePod): void;
  /** The next of the kubelet's words reaches the API server. */
  deliver(pod: TruePod): void;
  /** What is due by now. */
  pass(pod: TruePod): void;
}

/** How late a connected kubelet may be. */
const NOTICE_MS = 2_000;
/** A renewal that was not answered is sent again. */
const RETRY_MS = 1_000;

export interface NodeWorld {
  api: Api;
  replica: Replica;
  guards: Guards;
  now(): number;
}

export function createNode({ api, replica, guards, now }: NodeWorld): Node {
  function report(pod: TruePod): void {
    pod.outbox.push(statusOf(pod));
  }
  const isAlive = (pod: TruePod) => pod.node !== "dead" && !pod.over;

  function letThrough(pod: TruePod): void {
    pod.gate = "passed";
    pod.gateFinishedMs = now();
    startKeeper(pod);
    report(pod);
  }

  function startKeeper(pod: TruePod): void {
    pod.keeper = "running";
    pod.keeperStartedMs = now();
  }

  function endMain(pod: TruePod, exitCode: number): void {
    if (pod.main !== "running") return;
    pod.main = "ended";
    pod.mainExit = exitCode;
  }

  function end(pod: TruePod): void {
    endMain(pod, 137);
    pod.mainExit ??= 1;
    pod.over = true;
    if (pod.keeper === "running") pod.keeper = "ended";
    delete pod.killing;
    report(pod);
  }

  /** Its init containers run again; the status goes on showing how main ended until it starts again. */
  function rerun(pod: TruePod): void {
    endMain(pod, 137);
    delete pod.killing;
    pod.gate = "asking";
    pod.gateRun = nextGateRun();
    pod.keeper = "waiting";
    report(pod);
    if (pod.main === "ended") pod.main = "waiting";
    const lostForGood = pod.file?.lost && pod.restartPolicy === "Never";
    if (!lostForGood) return;
    if (isConnected(pod)) replica.acquire(pod);
    pod.gate = "failed";
    end(pod);
  }

  function fence(pod: TruePod): void {
    if (!pod.selfFencing || !guards.fencing || !pod.file) return;
    pod.file.lost = true;
    pod.keeper = "ended";
    // While a pod is being deleted its kubelet reruns nothing.
    if (!pod.knowsDeletion) pod.killing = { atMs: now() + STOP_MS - 1_000, next: "rerun" };
  }

  function deliver(pod: TruePod): void {
    if (pod.node !== "up") return;
    const status = pod.outbox.shift();
    const object = api.pods().get(pod.uid);
    if (!object) return;
    const { deletionMs } = object;
    if (status) api.putPod({ ...status, ...(deletionMs !== undefined && { deletionMs }) });
    else if (pod.over && deletionMs !== undefined) api.removePod(pod.uid);
  }

  function observeDeletion(pod: TruePod): void {
    const object = api.pods().get(pod.uid);
    if (!isAlive(pod) || pod.node === "cut" || pod.knowsDeletion) return;
    if (object && object.deletionMs === undefined) return;
    pod.knowsDeletion = true;
    if (pod.main !== "running") {
      end(pod);
      return;
    }
    pod.killing = { atMs: now() + (object ? GRACE_MS : 1_000), next: "over" };
  }

  /** A kubelet that is connected is not late for ever. */
  function notice(pod: TruePod): void {
    const object = api.pods().get(pod.uid);
    if (pod.node !== "up" || (object && object.deletionMs === undefined)) return;
    pod.noticeAtMs ??= now() + NOTICE_MS;
    if (now() >= pod.noticeAtMs) observeDeletion(pod);
  }

  function renew(pod: TruePod): void {
    if (!pod.file || !isConnected(pod) || now() < pod.renewAtMs) return;
    const ttlMs = replica.renew(pod, pod.file.token, pod.file.ttlMs);
    if (pod.deaf) {
      pod.renewAtMs = now() + RETRY_MS;
      return;
    }
    if (ttlMs === undefined) {
      fence(pod);
      return;
    }
    pod.file.ttlMs = ttlMs;
    pod.file.deadlineMs = now() + ttlMs;
    pod.renewAtMs = now() + ttlMs / 3;
  }

  return {
    gate(pod) {
      if (!isAlive(pod)) return;
      if (pod.gate === "confirmed") {
        letThrough(pod);
        return;
      }
      if (!isConnected(pod)) return;
      if (pod.gate === "asking") {
        const answer = replica.acquire(pod);
        delete pod.file;
        if (answer.state === "waiting") return;
        pod.gate = "granted";
        pod.token = answer.token;
        pod.grantTtlMs = answer.ttlMs;
      } else if (pod.gate === "granted") {
        const ttlMs = guards.confirm
          ? replica.renew(pod, pod.token, pod.grantTtlMs, pod.gateRun)
          : pod.grantTtlMs;
        if (pod.deaf) return;
        pod.gate = ttlMs === undefined ? "asking" : "confirmed";
        if (ttlMs === undefined) {
          pod.gateRun = nextGateRun();
          return;
        }
        pod.file = { token: pod.token, ttlMs, deadlineMs: now() + ttlMs, lost: false };
        pod.renewAtMs = now() + ttlMs / 3;
      }
    },
    startMain(pod) {
      if (
        !isAlive(pod) ||
        pod.gate !== "passed" ||
        pod.main !== "waiting" ||
        pod.knowsDeletion ||
        pod.killing
      )
        return;
      if (pod.keeper !== "running") return;
      pod.main = "running";
      pod.timesRun++;
      pod.mainStartedMs = now();
      delete pod.mainExit;
      report(pod);
    },
    exitMain(pod, exitCode) {
      if (!isAlive(pod) || pod.main !== "running") return;
      endMain(pod, exitCode);
      report(pod);
    },
    restartMain(pod) {
      if (
        !isAlive(pod) ||
        pod.main !== "ended" ||
        hasEndedForGood(pod) ||
        pod.killing ||
        pod.gate !== "passed"
      )
        return;
      pod.main = "running";
      pod.mainStartedMs = now();
      delete pod.mainExit;
      report(pod);
    },
    finish(pod) {
      if (!isAlive(pod) || pod.gate !== "passed" || !hasEndedForGood(pod)) return;
      if (pod.keeper === "running" && isConnected(pod) && pod.file)
        replica.release(pod, pod.file.token, true);
      end(pod);
    },
    crashKeeper(pod) {
      // Not covered: a crash that nobody can be told of.
      if (
        !isAlive(pod) ||
        pod.node === "cut" ||
        !api.pods().has(pod.uid) ||
        pod.keeper !== "running" ||
        pod.killing
      )
        return;
      pod.keeper = "down";
      report(pod);
      while (pod.outbox.length > 0) deliver(pod);
    },
    restartKeeper(pod) {
      if (!isAlive(pod) || pod.keeper !== "down") return;
      startKeeper(pod);
      report(pod);
    },
    loseSandbox(pod) {
      if (!isAlive(pod) || pod.knowsDeletion || pod.killing) return;
      const token = pod.keeper === "running" ? pod.file?.token : undefined;
      endMain(pod, 137);
      if (token !== undefined && isConnected(pod)) replica.release(pod, token, false);
      if (pod.restartPolicy === "Never" && pod.gate === "passed") end(pod);
      else rerun(pod);
    },
    observeDeletion,
    deliver,
    pass(pod) {
      if (pod.node === "dead") return;
      notice(pod);
      // Starved CPUs are not covered: a gate that was answered ends.
      if (isAlive(pod) && pod.gate === "confirmed") letThrough(pod);
      if (pod.killing && now() >= pod.killing.atMs) {
        // The keeper is stopped after main, with no time left to show that it is so.
        const isTold = pod.killing.next === "over" && pod.keeper === "running" && isConnected(pod);
        if (isTold && pod.file) replica.release(pod, pod.file.token, false);
        if (pod.killing.next === "rerun") rerun(pod);
        else end(pod);
      }
      if (pod.keeper !== "running" || !pod.file) return;
      renew(pod);
      if (pod.keeper === "running" && now() >= pod.file.deadlineMs - STOP_MS) fence(pod);
    },
  };
}
