/** The events from which the timers of a situation count. */
import { describe, expect, test } from "vitest";
import { createHoldClock } from "../../../src/controller/hold-clock.ts";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import { readSituation } from "../../../src/controller/situation.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import { readAsked } from "../../../src/lease/settings.ts";
import type { Hold } from "../../../src/lease/types.ts";
import type { NodeView } from "../../../src/objects/node-view.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";
import { held } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { noPods } from "./no-pods.ts";

const UNKNOWN: Evidence = { is: "unknown" };

/** A pod that is scheduled after its grant, before or after its gate has started. */
function lateEvidence(hasStarted: boolean): Evidence {
  const { gate, ...others } = statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" }));
  const asked = readAsked("nightly", { [ANNOTATION.gate]: "scheduling" });
  return {
    is: "present",
    pod: { ...others, ...asked, ...(gate && hasStarted && { gate: { ...gate, startedMs: 1 } }) },
  };
}

function stage(evidence: Evidence) {
  const clock = turnedClock();
  const holdClock = createHoldClock(clock);
  let known = evidence;
  const sources = {
    requests: [],
    caches: { nodes: fedReflector<NodeView>(), pods: noPods },
    evidence: { evidenceOf: () => known, lookedAgoMs: () => 0 },
    errands: { isStuck: () => false },
    liveRequests: { isGone: () => false, lookedAgoMs: () => Number.POSITIVE_INFINITY },
    holdClock,
    lapseClock: createLapseClock(clock),
    clock,
  };
  return {
    clock,
    holdClock,
    see(now: Evidence) {
      known = now;
    },
    timers: (hold: Partial<Hold> = {}) =>
      readSituation({ ...sources, lease: held({ confirmed: false, renewals: 0, ...hold }) }).timers,
  };
}

describe("a grant counts as answerable", () => {
  test("from the grant, for a pod whose gate waits", async () => {
    const { clock, timers } = stage({
      is: "present",
      pod: statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })),
    });
    expect(timers().answerableForMs).toBe(0);
    await clock.turn(4_000);
    expect(timers().answerableForMs).toBe(4_000);
  });

  test("from the start of the gate, for a pod that is scheduled late, whatever was renewed before", async () => {
    const { clock, timers, see } = stage(lateEvidence(false));
    timers();
    await clock.turn(150_000);
    expect(timers()).toMatchObject({ heldForMs: 150_000, silentForMs: 150_000, answerableForMs: 0 });
    see(lateEvidence(true));
    expect(timers().answerableForMs).toBe(0);
    await clock.turn(4_000);
    expect(timers({ expiresMs: 1 })).toMatchObject({ silentForMs: 0, answerableForMs: 4_000 });
  });

  test("while nothing is known of the pod, if it was answerable before", async () => {
    const { clock, timers, see } = stage(lateEvidence(true));
    timers();
    await clock.turn(5_000);
    see(UNKNOWN);
    timers();
    await clock.turn(5_000);
    expect(timers().answerableForMs).toBe(10_000);
  });

  test("anew after a regrant and in a new arbiter's term", async () => {
    const { clock, timers, holdClock } = stage(lateEvidence(true));
    timers();
    await clock.turn(8_000);
    expect(timers({ token: 42 }).answerableForMs).toBe(0);
    await clock.turn(8_000);
    holdClock.reset();
    expect(timers({ token: 42 }).answerableForMs).toBe(0);
  });
});
