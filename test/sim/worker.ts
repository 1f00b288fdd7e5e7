/** Somebody who works while holding the klease, by the real lease client: koncli, a Node.js program, or a script of koncli's commands. */
import { createLeaseClient } from "../../src/client/lease-client.ts";
import { runUnderLease } from "../../src/client/run-under-lease.ts";
import { hasCode, KonductorError } from "../../src/shared/errors.ts";
import { runApplied } from "./applied.ts";
import type { Note } from "./history.ts";
import { NAMESPACE } from "./pod-object.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { runScript } from "./script.ts";
import { type Launched, type Surroundings, type WorkerWish, wishOf } from "./work.ts";

export interface WorkerOptions {
  launch(): Launched;
  random: Random;
  wish: WorkerWish;
  note: Note;
}

export interface Worker {
  readonly wish: WorkerWish;
  /** The process that was started last. */
  readonly process: Process;
  readonly state: "waits" | "works" | "over";
  readonly isKilled: boolean;
  readonly hasRun: boolean;
  /** How long its work may run on without the process. */
  readonly mayRunForMs: number;
  kill(): void;
}

async function runUnderKoncli({ wish, launch, clientOf, work, doubt }: Surroundings): Promise<void> {
  const launched = launch();
  const { once, graceMs } = wish;
  const options = { ...wishOf(wish), graceMs, once, onTrouble: doubt };
  await runUnderLease(clientOf(launched), options, (hold) => work(launched.clock, hold));
}

const PROGRAMS = { exec: runUnderKoncli, script: runScript, kubectl: runApplied };

export function startWorker({ launch, random, wish, note }: WorkerOptions): Worker {
  const { name, worksForMs, timeoutMs } = wish;
  const processes: Process[] = [];
  let state: Worker["state"] = "waits";
  let isKilled = false;
  let hasRun = false;
  let mayRunForMs = () => 0;

  function stop(): void {
    if (state === "works") note({ what: "stops", who: name });
    state = "over";
  }
  const surroundings: Surroundings = {
    wish,
    launch() {
      const launched = launch();
      processes.push(launched.process);
      return launched;
    },
    clientOf: ({ client, clock }) =>
      createLeaseClient({ client, namespace: NAMESPACE, clock, random: random.next }),
    async work(clock, hold) {
      state = "works";
      hasRun = true;
      mayRunForMs = () => hold.expiresMs - clock.nowMs();
      note({ what: "runs", who: name, claim: name, ...(isOnce && { key: wish.once }) });
      const hasWorked = await clock.sleep(worksForMs, hold.signal).then(
        () => true,
        () => clock.sleep(random.between(0, hold.graceMs)).then(() => false),
      );
      if (hasWorked) note({ what: "succeeded", claim: wish.holder ?? name });
      stop();
    },
    doubt: () => note({ what: "renewed", claim: name, isAnswered: false }),
  };
  const isTwin = wish.holder !== undefined;
  const isOnce = wish.by === "exec" && wish.once !== undefined;
  // A twin may be told that its name is in use.
  if (!isTwin) note({ what: "asks", who: name, timeoutMs });
  void PROGRAMS[wish.by](surroundings)
    .catch((error: unknown) => {
      if (!(error instanceof KonductorError)) throw error;
      const { code } = error;
      if (code === "AlreadyDone") note({ what: "spared", who: name, key: wish.once ?? "" });
      else if (!hasRun && !isTwin) note({ what: "told", who: name, code });
      else if (hasCode(error, "Lost", "Revoked", "NotHolder"))
        note({ what: "renewed", claim: name, isAnswered: false, refused: code });
    })
    .finally(stop);
  return {
    wish,
    get process() {
      const [last] = processes.slice(-1);
      if (!last) throw new Error(`${name} has no process`);
      return last;
    },
    get state() {
      return state;
    },
    get isKilled() {
      return isKilled;
    },
    get hasRun() {
      return hasRun;
    },
    get mayRunForMs() {
      return mayRunForMs();
    },
    kill() {
      isKilled = true;
      for (const process of processes) process.kill();
      stop();
    },
  };
}
