import type { Clock } from "../../src/shared/clock.ts";
import type { Scheduler } from "./scheduler.ts";

/** The machine of processes. Its time of day may be wrong, and may jump. All its processes share it. */
export interface Machine {
  name: string;
  wallErrorMs: number;
}

/**
 * A process of the real code. Every timer and answer reaches it by `enter`, so that it can be killed or paused at any await of an injected
 * dependency.
 */
export interface Process {
  readonly name: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly isDead: boolean;
  readonly isPaused: boolean;
  /** Lets the process go on with `work`: now, when it is resumed, or never. */
  enter(work: () => void): void;
  /** Calls `strike` right before the process goes on for the `count`th time from now. */
  strikeAt(count: number, strike: () => void): void;
  pause(): void;
  resume(): void;
  kill(): void;
  /** Calls `listener` once when the process is killed. */
  onDeath(listener: () => void): void;
}

export function createProcess(scheduler: Scheduler, machine: Machine, name: string): Process {
  let isDead = false;
  let isPaused = false;
  let heldBack: (() => void)[] = [];
  let strike: { left: number; run: () => void } | undefined;
  const mourners: (() => void)[] = [];

  const after = (delayMs: number, callback: () => void) => {
    let isCancelled = false;
    // A timer that is cancelled while the process is paused must not fire afterwards.
    const fire = () => process.enter(() => isCancelled || callback());
    const cancel = scheduler.after(delayMs, fire);
    return () => {
      isCancelled = true;
      cancel();
    };
  };

  const clock: Clock = {
    nowMs: () => scheduler.nowMs() + machine.wallErrorMs,
    monotonicMs: () => scheduler.nowMs(),
    after,
    sleep(delayMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const cancel = after(delayMs, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      const abort = () => {
        cancel();
        reject(signal?.reason);
      };
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
      return promise;
    },
  };

  const process: Process = {
    name,
    machine,
    clock,
    get isDead() {
      return isDead;
    },
    get isPaused() {
      return isPaused;
    },
    enter(work) {
      if (isDead) return;
      if (!isPaused && strike && --strike.left <= 0) {
        const { run } = strike;
        strike = undefined;
        run();
      }
      if (isPaused) heldBack.push(work);
      else if (!isDead) work();
    },
    strikeAt(count, run) {
      strike = { left: count, run };
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      const works = heldBack;
      heldBack = [];
      for (const work of works) process.enter(work);
    },
    kill() {
      if (isDead) return;
      isDead = true;
      heldBack = [];
      for (const mourn of mourners) mourn();
    },
    onDeath: (listener) => void mourners.push(listener),
  };
  return process;
}
