/** What is wished for by somebody who works while it holds the klease, and what its program is given. */
import type { LeaseClient } from "../../src/client/types.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import type { Clock } from "../../src/shared/clock.ts";
import { LEASE_NAME } from "./pod-object.ts";
import type { Process } from "./process.ts";

export interface WorkerWish {
  name: string;
  /** As whom it asks, where that is another one's name. */
  holder?: string;
  /** 0: one try. */
  timeoutMs: number;
  ttlMs?: number;
  priority?: number;
  worksForMs: number;
  graceMs: number;
  /** exec: `koncli lease exec`, or a Node program. script: acquire, renew and release, each a process. kubectl: a request that is applied. */
  by: "exec" | "script" | "kubectl";
  /** A script that goes on with what an earlier process, which has ended, has under its name. */
  takesOver?: boolean;
  /** By how much the time of day of its machine is wrong. */
  wallErrorMs?: number;
}

/** A process that has just been started, and its way to the API server. */
export interface Launched {
  process: Process;
  client: KubeClient;
  clock: Clock;
}

/** The hold under which something works. */
export interface Hold {
  readonly signal: AbortSignal;
  readonly graceMs: number;
  /** When it ends at the earliest, by the clock of its process. */
  readonly expiresMs: number;
}

/** What a worker's program is given. */
export interface Surroundings {
  wish: WorkerWish;
  launch(): Launched;
  clientOf(launched: Launched): LeaseClient;
  /** Works until it is done, or has to stop. */
  work(clock: Clock, hold: Hold): Promise<void>;
  /** A renewal was not answered. */
  doubt(): void;
}

/** What the lease client is asked for. */
export const wishOf = ({ timeoutMs, ttlMs, priority, ...wish }: WorkerWish) => ({
  ...{ lease: LEASE_NAME, holder: holderOf(wish), create: true },
  ...{ timeoutMs, ttlMs, priority },
});

export const holderOf = ({ name, holder = name }: Pick<WorkerWish, "name" | "holder">): string => holder;
