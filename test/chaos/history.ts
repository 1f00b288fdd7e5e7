/**
 * The evidence of a chaos run. It has two witnesses: the mains, which wrote their signs of life outside of the cluster, and the statuses of the
 * kleases as the watch showed them. All times are milliseconds since boot, the clock of the journals.
 */
import type { EndReason } from "../../src/lease/types.ts";
import type { Run } from "../e2e/journal.ts";

/** A hold as some version of a klease's status showed it: current, or in the history. */
export interface Sighting {
  lease: string;
  token: number;
  holder: string;
  acquiredMs: number;
  /** The klease's. */
  ttlMs: number;
  /** By the hold's last renewal that was seen. */
  expiresMs?: number;
  /** Set once the hold is over. */
  endedMs?: number;
  reason?: EndReason;
}

export interface WorkloadRun extends Run {
  lease: string;
}

/** From a request until its grant or withdrawal. */
export interface Wait {
  lease: string;
  holder: string;
  fromMs: number;
  toMs: number;
}

/** A keeper exited with the code that makes the kubelet stop its pod, in the second that began then. */
export interface Fence {
  lease: string;
  pod: string;
  atMs: number;
}

/** A time in which one container of a replica was Ready. */
export interface ReadyTime {
  pod: string;
  fromMs: number;
  toMs: number;
}

export interface JobRecord {
  name: string;
  lease: string;
  /** How many of the Job's pods have to complete. */
  completions: number;
  createdMs: number;
  endedMs?: number;
  result?: "Complete" | "Failed";
}

/** A fault that was injected, or one that nobody caused (see fences.ts). */
export interface FaultRecord {
  kind: string;
  /** The pods or replicas at which the fault was aimed; left out: every pod may be affected. */
  pods?: readonly string[];
  fromMs: number;
  toMs: number;
}

export interface History {
  sightings: readonly Sighting[];
  runs: readonly WorkloadRun[];
  waits: readonly Wait[];
  fences: readonly Fence[];
  jobs: readonly JobRecord[];
  faults: readonly FaultRecord[];
  /** Holds that were still there when no Job was left. */
  leftovers: readonly { lease: string; holder: string }[];
  /** The longest time between two signs of life of a living main: how short of CPU the machine was. */
  starvedMs: number;
}

/** Seconds since boot, as the journals have them. */
export function at(ms: number): string {
  return (ms / 1_000).toFixed(2);
}
