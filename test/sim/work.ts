/** What somebody asks for who works while holding the klease, and what its program gets. */
import type { LeaseClient } from "../../src/client/types.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import type { Clock } from "../../src/shared/clock.ts";
import { LEASE_NAME } from "./pod-object.ts";
import type { Process } from "./process.ts";

export interface WorkerWish {
  name: string;
  /** The holder's name, if it differs from `name`. */
  holder?: string;
  /** 0 means a single try. */
  timeoutMs: number;
  ttlMs?: number;
  priority?: number;
  worksForMs: number;
  /** The key of work that `exec` does once. */
  once?: string;
  graceMs: number;
  /** exec: `koncli lease exec`, or a Node.js program. script: acquire, renew and release, each as a process. kubectl: an applied request. */
  by: "exec" | "script" | "kubectl";
  /** A script that takes over what an earlier process, which has ended, has under its name. */
  takesOver?: boolean;
  /** The error of its machine's time of day. */
  wallErrorMs?: number;
}

/** A process that has just been started, with its connection to the API server. */
export interface Launched {
  process: Process;
  client: KubeClient;
  clock: Clock;
}

/** The hold under which the work runs. */
export interface Hold {
  readonly signal: AbortSignal;
  readonly graceMs: number;
  /** The earliest end of the hold, by the clock of its process. */
  readonly expiresMs: number;
}

/** What a worker's program gets. */
export interface Surroundings {
  wish: WorkerWish;
  launch(): Launched;
  clientOf(launched: Launched): LeaseClient;
  /** Works until the work is done or has to stop. */
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
