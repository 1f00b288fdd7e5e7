/** Sends signals the way a container's processes would get them. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** SIGKILL for a whole process group; does nothing if the group is gone. */
export function killGroup(pgid: number): void {
  signalGroup(pgid, "SIGKILL");
}

function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  send(-pgid, signal);
}

/** SIGKILL for one process; does nothing if the process is gone. */
export function killProcess(pid: number): void {
  send(pid, "SIGKILL");
}

/**
 * A runtime signals only a container's first process. That process is the init of its PID namespace, so it never gets a signal that it has no handler
 * for (pid_namespaces(7)). Without a namespace, this function has to ensure that.
 */
export function signalInit(pid: number, signal: NodeJS.Signals): void {
  if (signal === "SIGSTOP" || signal === "SIGCONT") signalGroup(pid, signal);
  else if (signal === "SIGKILL") killGroup(pid);
  else if (catches(pid, signal)) send(pid, signal);
}

function catches(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    const gone = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (!gone) throw error;
  }
}
