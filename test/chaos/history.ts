/**
 * What a chaos run leaves to judge. Two witnesses: the mains, which wrote their signs of life outside of the cluster, and the kleases'
 * statuses, as they were watched. All times are milliseconds since boot, the clock of the journals.
 */
import type { EndReason } from "../../src/lease/types.ts";
import type { Run } from "../e2e/journal.ts";

/** A hold as some version of a klease's status showed it: running, or in its history. */
export interface Sighting {
  lease: string;
  token: number;
  holder: string;
  acquiredMs: number;
  /** Of its klease. */
  ttlMs: number;
  /** By its last renewal that was seen. */
  expiresMs?: number;
  /** There once it is over. */
  endedMs?: number;
  reason?: EndReason;
}

export interface WorkloadRun extends Run {
  lease: string;
}

/** From a request until it was granted or withdrawn. */
export interface Wait {
  lease: string;
  holder: string;
  fromMs: number;
  toMs: number;
}

/** A keeper ended with the code upon which the kubelet stops its pod, in the second that began then. */
export interface Fence {
  lease: string;
  pod: string;
  atMs: number;
}

/** One container of a replica was Ready. */
export interface ReadyTime {
  pod: string;
  fromMs: number;
  toMs: number;
}

export interface JobRecord {
  name: string;
  lease: string;
  /** How many of its pods have to complete. */
  completions: number;
  createdMs: number;
  endedMs?: number;
  result?: "Complete" | "Failed";
}

/** A fault that was done, or one that nobody has done (see fences.ts). */
export interface FaultRecord {
  kind: string;
  /** The pods, or replicas, that it was aimed at; left out: everything may feel it. */
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
  /** Who still stood as the holder of what, when no Job was left. */
  leftovers: readonly { lease: string; holder: string }[];
  /** The longest time between two signs of life of a main that lived: how short of CPU the machine was. */
  starvedMs: number;
}

/** Seconds since boot, as the journals have them. */
export function at(ms: number): string {
  return (ms / 1_000).toFixed(2);
}
