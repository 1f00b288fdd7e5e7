import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createServerClock, learnTime } from "../../../src/kube/server-clock.ts";
import { ask, type MachineOptions, machineClock, type Time } from "./machine.ts";

const START_MS = Date.parse("2026-01-01T00:00:00.400Z");
const HOUR_MS = 3_600_000;

/** A machine with its server clock, whose requests to API servers a test makes. */
function aReplica(options: MachineOptions = { errorMs: HOUR_MS, upSinceMs: START_MS - 7_777.7 }) {
  const time: Time = { ms: START_MS };
  const machine = machineClock(time, options);
  const clock = createServerClock(machine);
  return {
    time,
    clock,
    /** Sends a request to a server whose time of day is wrong by `errorMs`. */
    ask: (errorMs: number, thereMs?: number, backMs?: number) =>
      clock.observe(
        ask(time, machine, { errorMs, ...(thereMs !== undefined && { thereMs, backMs: backMs ?? 0 }) }),
      ),
    /** Sends such a request about every second for `ms`. */
    askFor(ms: number, errorMs: number) {
      for (const endMs = time.ms + ms; time.ms < endMs; time.ms += 1_037) this.ask(errorMs);
    },
    /** The server clock's error, compared with a clock that is wrong by `errorMs`. */
    wrongMs: (errorMs: number) => clock.nowMs() - (time.ms + errorMs),
  };
}

test("the clock shows the machine's time before the first answer, and then the server's, whatever the machine's is", () => {
  const replica = aReplica();
  expect(replica.clock.nowMs()).toBe(START_MS + HOUR_MS);
  replica.clock.observe({ status: 502, serverDateMs: undefined, tookMs: 3 });
  expect(replica.clock.nowMs()).toBe(START_MS + HOUR_MS);
  replica.ask(0);
  expect(Math.abs(replica.wrongMs(0))).toBeLessThan(503);
});

test("durations are still measured by the machine", () => {
  const replica = aReplica();
  replica.ask(0);
  expect(replica.clock.monotonicMs()).toBeCloseTo(7_781.7);
});

test("a minute of answers shows the time to some hundredths of a second, and slow answers do not change that", () => {
  const replica = aReplica();
  replica.ask(0, 9_000, 900);
  replica.askFor(60_000, 0);
  expect(Math.abs(replica.wrongMs(0))).toBeLessThan(50);
  replica.ask(0, 10, 9_000);
  expect(Math.abs(replica.wrongMs(0))).toBeLessThan(50);
});

test.each([0, 300, 600, 999])(
  "one second of requests, begun %i ms into a second, shows the time to a few hundredths of a second",
  async (intoMs) => {
    const replica = aReplica();
    replica.time.ms += intoMs;
    const beganMs = replica.time.ms;
    let asked = 0;
    const sleeping = {
      ...replica.clock,
      sleep: async (ms: number) => {
        replica.time.ms += ms;
      },
    };
    const ask = async () => {
      if (asked++ % 4 === 1) throw new Error("the API server does not answer");
      replica.ask(0);
    };
    await learnTime(sleeping, ask, new AbortController().signal);
    expect(replica.time.ms - beganMs).toBeLessThan(1_060);
    expect(replica.clock.unsureMs()).toBeLessThan(60);
    expect(Math.abs(replica.wrongMs(0))).toBeLessThan(31);
  },
);

test("requests without answers end", async () => {
  const { time, clock } = aReplica();
  const sleep = async (ms: number) => {
    time.ms += ms;
  };
  const ask = () => Promise.reject(new Error("the API server does not answer"));
  await learnTime({ ...clock, sleep }, ask, new AbortController().signal);
  expect(clock.unsureMs()).toBe(Number.POSITIVE_INFINITY);
});

test("the clock never goes back, and its error never exceeds what the answers leave open, whenever and however slowly they come", () => {
  const ms = (most: number) => fc.double({ min: 0, max: most, noNaN: true });
  const answer = fc.tuple(ms(5_000), ms(300), ms(300));
  const replicas = fc.record({
    errorMs: fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }),
    gain: fc.constantFrom(0, 0.0004, -0.0004),
    serverErrorMs: fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }),
  });
  fc.assert(
    fc.property(replicas, fc.array(answer, { minLength: 1 }), ({ serverErrorMs, ...options }, answers) => {
      const replica = aReplica(options);
      let openMs = Number.POSITIVE_INFINITY;
      let lastMs = Number.NEGATIVE_INFINITY;
      for (const [pauseMs, thereMs, backMs] of answers) {
        replica.ask(serverErrorMs, thereMs, backMs);
        // The first answer sets the bound, since a later one may still be awaited.
        if (openMs === Number.POSITIVE_INFINITY) openMs = 500 + (thereMs + backMs) / 2;
        for (const waitMs of [0, pauseMs]) {
          replica.time.ms += waitMs;
          const driftMs = 1 + (replica.time.ms - START_MS) * 0.002;
          expect(Math.abs(replica.wrongMs(serverErrorMs))).toBeLessThan(openMs + driftMs);
          expect(replica.clock.nowMs()).toBeGreaterThanOrEqual(lastMs);
          lastMs = replica.clock.nowMs();
        }
      }
    }),
    { numRuns: 500 },
  );
});

test.each([2 * HOUR_MS, -2 * HOUR_MS, 11_500])(
  "a server's clock that is set by %i ms is soon followed",
  (byMs) => {
    const replica = aReplica();
    replica.askFor(60_000, 0);
    replica.askFor(4_000, byMs);
    expect(Math.abs(replica.wrongMs(0))).toBeLessThan(50);
    replica.askFor(2_100, byMs);
    expect(Math.abs(replica.wrongMs(byMs))).toBeLessThan(510);
  },
);

test.each([800, 300, -300, -800])(
  "a server's clock that is set by %i ms is followed, although most answers do not show it",
  (byMs) => {
    const replica = aReplica();
    replica.askFor(60_000, 0);
    replica.askFor(30_000, byMs);
    expect(Math.abs(replica.wrongMs(byMs))).toBeLessThan(100);
  },
);

test("a server's clock that is set back a little is awaited while time goes on", () => {
  const replica = aReplica();
  replica.askFor(60_000, 0);
  let lastMs = replica.clock.nowMs();
  for (let seconds = 0; seconds < 30; seconds++) {
    replica.askFor(1_000, -5_000);
    expect(replica.clock.nowMs() - lastMs).toBeGreaterThan(500);
    lastMs = replica.clock.nowMs();
  }
  expect(Math.abs(replica.wrongMs(-5_000))).toBeLessThan(50);
});

describe.each([0.3, 3, 7_200])("two API servers that disagree by %f s", (seconds) => {
  const errorsMs = [0, seconds * 1_000] as const;

  test.each([
    ["the right one first", errorsMs],
    ["the wrong one first", errorsMs.toReversed()],
  ])("do not make time jump, %s", (_, servers) => {
    const [followed = 0, other = 0] = servers;
    const replica = aReplica();
    replica.askFor(10_000, followed);
    let before = { nowMs: replica.clock.nowMs(), ms: replica.time.ms };
    for (let times = 0; times < 200; times++) {
      replica.ask(times % 2 === 0 ? other : followed);
      const passedMs = replica.clock.nowMs() - before.nowMs;
      expect(passedMs).toBeGreaterThanOrEqual((replica.time.ms - before.ms) / 2 - 1);
      expect(passedMs).toBeLessThan(replica.time.ms - before.ms + 500);
      before = { nowMs: replica.clock.nowMs(), ms: replica.time.ms };
      replica.time.ms += 411;
    }
    expect(Math.abs(replica.wrongMs(followed))).toBeLessThan(500);
  });

  test("are followed one after the other if the first ends", () => {
    const replica = aReplica();
    replica.askFor(10_000, errorsMs[1]);
    replica.askFor(30_000, errorsMs[0]);
    expect(Math.abs(replica.wrongMs(errorsMs[0]))).toBeLessThan(50);
  });
});

test("a single answer with another time, such as a proxy's own, changes nothing", () => {
  const replica = aReplica();
  replica.askFor(60_000, 0);
  for (let times = 0; times < 20; times++) {
    replica.ask(times % 3 === 0 ? HOUR_MS : -HOUR_MS);
    replica.askFor(2_000, 0);
    expect(Math.abs(replica.wrongMs(0))).toBeLessThan(50);
  }
});
