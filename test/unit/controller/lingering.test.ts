/** An Event that names the container because of which a Lease is still held. */
import { expect, test } from "vitest";
import { createLingering } from "../../../src/controller/lingering.ts";
import type { ContainerView, PodView } from "../../../src/lease/pod.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";
import { aHold, held, situationOf } from "../lease/samples.ts";

const { token } = aHold();
const gate = { name: "konductor-gate", kind: "init", state: "terminated", hasRestartRules: false } as const;
const STARTED_MS = 2_000;

/** A pod that has passed its gate, with these app containers. */
function podWith(...apps: [name: string, state: ContainerView["state"]][]): PodView {
  const pod = statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" }));
  return {
    ...pod,
    phase: "Running",
    gate: { ...gate, exitCode: 0, startedMs: 1_000, finishedMs: 1_500, message: `acquired ${token}` },
    main: apps.map(([name, state]) => ({
      ...{ name, kind: "app", state, startedMs: STARTED_MS, hasRestartRules: false },
      ...(state === "terminated" && { exitCode: 0 }),
    })),
  };
}

function stage() {
  const clock = turnedClock();
  const told: string[] = [];
  const reporter = {
    holderLingers: (_lease: unknown, { name }: { name: string }, running: readonly string[]) =>
      void told.push(`${name}: ${running.join()}`),
  };
  const tell = createLingering({ reporter, clock });
  return {
    ...{ clock, told },
    look: (pod: PodView, change = {}) =>
      tell(situationOf(held(change), { evidenceOf: () => ({ is: "present", pod }) })),
  };
}

test("a sidecar that runs on for a minute is reported once for each hold", async () => {
  const { clock, told, look } = stage();
  const pod = podWith(["main", "terminated"], ["proxy", "running"]);
  expect(look(pod)).toBe(60_000);
  await clock.turn(59_999);
  expect([look(pod), told]).toEqual([1, []]);
  await clock.turn(1);
  expect([look(pod), told]).toEqual([undefined, [`${pod.name}: proxy`]]);
  expect([look(pod), told.length]).toEqual([undefined, 1]);
});

test.each<[string, PodView]>([
  ["all containers run", podWith(["main", "running"], ["proxy", "running"])],
  ["all containers have ended", podWith(["main", "terminated"], ["proxy", "terminated"])],
  ["the pod is being deleted", { ...podWith(["main", "terminated"], ["proxy", "running"]), deletionMs: 1 }],
  [
    "main will be restarted",
    { ...podWith(["main", "terminated"], ["proxy", "running"]), restartPolicy: "Always" },
  ],
])("nothing is reported if %s", async (_, pod) => {
  const { clock, told, look } = stage();
  expect(look(pod)).toBeUndefined();
  await clock.turn(120_000);
  expect([look(pod), told]).toEqual([undefined, []]);
});
