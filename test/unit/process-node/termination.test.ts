import { beforeEach, describe, expect, test } from "vitest";
import type { Pod } from "../../cluster/process-node/pod.ts";
import { type Stoppable, stopContainers, stoppedBefore } from "../../cluster/process-node/termination.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { samplePod } from "./samples.ts";

const HOOK = { lifecycle: { preStop: { exec: { command: ["hook"] } } } };
const SIDECARS = [
  { name: "early", restartPolicy: "Always" },
  { name: "keeper", restartPolicy: "Always", ...HOOK },
];

let clock: ManualClock;
let seen: string[];
beforeEach(() => {
  clock = manualClock();
  seen = [];
});

interface Behaviour {
  /** The time from TERM to the end. Without it, TERM does not end the container. */
  readonly endsAfterMs?: number;
  readonly hookMs?: number;
}

/** A container that records what is done to it, with the time in seconds. */
function container(pod: Pod, name: string, { endsAfterMs, hookMs = 0 }: Behaviour = {}): Stoppable {
  const found = [...pod.initContainers, ...pod.containers].find((item) => item.name === name);
  if (!found) throw new Error(`no container ${name}`);
  const { promise: exited, resolve } = Promise.withResolvers<void>();
  const saw = (what: string) => seen.push(`${clock.nowMs() / 1000} ${name} ${what}`);
  return {
    container: found,
    exited,
    terminate() {
      saw("TERM");
      if (endsAfterMs !== undefined) clock.after(endsAfterMs, resolve);
    },
    kill() {
      saw("KILL");
      resolve();
    },
    async runHook() {
      saw("hook");
      await clock.sleep(hookMs);
    },
  };
}

/** Stops the containers and returns when that was done, in seconds. */
async function stop(pod: Pod, running: readonly Stoppable[], graceSeconds: number): Promise<number> {
  let doneAtMs = Number.NaN;
  void stopContainers(pod, running, graceSeconds, clock).then(() => {
    doneAtMs = clock.nowMs();
  });
  await clock.advance(3_600_000);
  return doneAtMs / 1000;
}

describe("a pod with sidecars", () => {
  const pod = samplePod({ initContainers: SIDECARS }, ["one", "two"]);

  test("runs hooks at once, and stops mains together, then the sidecars in reverse order", async () => {
    const running = [
      container(pod, "early", { endsAfterMs: 0 }),
      container(pod, "keeper", { endsAfterMs: 500 }),
      container(pod, "one", { endsAfterMs: 1_000 }),
      container(pod, "two", { endsAfterMs: 3_000 }),
    ];
    expect(await stop(pod, running, 30)).toBe(3.5);
    expect(seen).toEqual(["0 keeper hook", "0 one TERM", "0 two TERM", "3 keeper TERM", "3.5 early TERM"]);
  });

  test("sends TERM to the sidecars and KILL to main when grace runs out", async () => {
    const running = [
      container(pod, "early", { endsAfterMs: 0 }),
      container(pod, "keeper", { endsAfterMs: 0 }),
      container(pod, "one"),
    ];
    await stop(pod, running, 5);
    expect(seen.slice(0, 2)).toEqual(["0 keeper hook", "0 one TERM"]);
    expect(new Set(seen.slice(2))).toEqual(new Set(["5 one KILL", "5 keeper TERM", "5 early TERM"]));
  });

  test("stops a lone sidecar after its hook", async () => {
    const running = [container(pod, "keeper", { endsAfterMs: 0, hookMs: 80 })];
    expect(await stop(pod, running, 30)).toBe(0.08);
    expect(seen).toEqual(["0 keeper hook", "0.08 keeper TERM"]);
  });
});

describe("grace", () => {
  const pod = samplePod({ initContainers: [], containers: [{ name: "main", ...HOOK }] });

  test("is what the hook leaves of the grace period", async () => {
    await stop(pod, [container(pod, "main", { hookMs: 4_000 })], 10);
    expect(seen).toEqual(["0 main hook", "4 main TERM", "10 main KILL"]);
  });

  test("is at least 2 s, even if a hook used up all of it", async () => {
    await stop(pod, [container(pod, "main", { hookMs: 60_000 })], 10);
    expect(seen).toEqual(["0 main hook", "10 main TERM", "12 main KILL"]);
  });

  test("is 2 s for a force-deleted pod", async () => {
    const plain = samplePod({ initContainers: SIDECARS });
    await stop(plain, [container(plain, "main"), container(plain, "keeper", { endsAfterMs: 0 })], 1);
    expect(seen).toEqual(["0 keeper hook", "0 main TERM", "1 keeper TERM", "2 main KILL"]);
  });
});

test("containers of a pod without sidecars stop at once", () => {
  const pod = samplePod({ initContainers: [{ name: "init" }] }, ["one", "two"]);
  expect(stoppedBefore(pod, "one")).toEqual([]);
  expect(stoppedBefore(pod, "init")).toEqual([]);
});
