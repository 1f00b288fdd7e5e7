/** The data that are needed to end a cluster without its owner. */
import { readFile } from "node:fs/promises";

export interface ClusterRecord {
  /** Unique on this machine; part of every name outside of `dir`. */
  readonly id: string;
  /** Decides the ports and addresses. */
  readonly slot: number;
  readonly dir: string;
  readonly owner: ProcessIdentity;
}

/** A pid alone may have been reused for another process. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAtTicks: number;
}

/** Undefined if no such process runs. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The second field, the program's name, may hold spaces and parentheses. `starttime` is the 22nd (proc_pid_stat(5)).
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields && { pid, startedAtTicks: Number(fields[22 - 3]) };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.startedAtTicks === process.startedAtTicks;
}

/** Undefined if there is no such file. Rejects if the file holds no record. */
export async function readRecord(path: string): Promise<ClusterRecord | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) throw new Error(`${path} is no record of a cluster: remove it`);
  return value;
}

function isRecord(value: unknown): value is ClusterRecord {
  return (
    isObject(value) &&
    typeof value["id"] === "string" &&
    typeof value["slot"] === "number" &&
    typeof value["dir"] === "string" &&
    isObject(value["owner"]) &&
    typeof value["owner"]["pid"] === "number" &&
    typeof value["owner"]["startedAtTicks"] === "number"
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
