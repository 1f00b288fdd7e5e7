import { expect, test } from "vitest";
import { createErrands, PATIENCE_MS } from "../../../src/controller/errands.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { parseJson } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const KEY = "ns/nightly";
const errand = { key: KEY, what: "look", uid: "pod-1" };

function stage() {
  const clock = turnedClock();
  const woken: string[] = [];
  const lines: unknown[] = [];
  const errands = createErrands({
    clock,
    logger: createLogger({ destination: { write: (line) => void lines.push(parseJson(line)) } }),
    wake: (key) => woken.push(key),
  });
  return { clock, errands, woken, lines };
}

const fail = () => Promise.reject(new KonductorError("Forbidden", "quota"));
const hang = () => new Promise<void>(() => undefined);

test("an errand without an answer is awaited for a while, and not begun again meanwhile", async () => {
  const { clock, errands, woken } = stage();
  const ended = Promise.withResolvers<void>();
  let begun = 0;
  const work = () => {
    begun++;
    return ended.promise;
  };
  const first = errands.run(errand, work);
  await clock.turn(PATIENCE_MS);
  expect(await first).toBe(false);
  expect(errands.isStuck(errand)).toBe(true);
  expect(await errands.run(errand, work)).toBe(false);
  expect([begun, woken]).toEqual([1, []]);
  ended.resolve();
  await clock.turn(0);
  expect([errands.isStuck(errand), woken]).toEqual([false, [KEY]]);
});

test("a failing errand rests longer each time, then wakes its klease, and is stuck after a while", async () => {
  const { clock, errands, woken } = stage();
  let tries = 0;
  const work = () => {
    tries++;
    return fail();
  };
  expect(await errands.run(errand, work)).toBe(false);
  expect(errands.isStuck(errand)).toBe(false);
  for (let seconds = 0; seconds < 600; seconds++) {
    await clock.turn(1_000);
    await errands.run(errand, work);
    expect(errands.isStuck(errand)).toBe(true);
    expect(errands.isStuck({ key: KEY, what: "look" })).toBe(true);
  }
  expect(tries).toBeLessThan(60);
  expect(woken.length).toBeGreaterThan(10);
  expect(await errands.run({ ...errand, uid: "pod-2" }, async () => undefined)).toBe(true);
  expect(errands.isStuck({ ...errand, uid: "pod-2" })).toBe(false);
});

test("an errand is no longer stuck when nobody tries it any more, or when an outage excuses it", async () => {
  const { clock, errands } = stage();
  for (const end of [() => clock.turn(120_000), async () => errands.excuse(KEY)]) {
    await errands.run(errand, fail);
    await clock.turn(PATIENCE_MS);
    expect(errands.isStuck(errand)).toBe(true);
    await end();
    expect(errands.isStuck(errand)).toBe(false);
  }
});

test("its klease is woken once more when an errand is no longer stuck, since others may have waited for that", async () => {
  const { clock, errands, woken } = stage();
  await errands.run(errand, fail);
  await clock.turn(PATIENCE_MS);
  woken.length = 0;
  await clock.turn(60_000);
  expect([errands.isStuck(errand), woken]).toEqual([false, [KEY]]);
});

test("an excused errand still rests, for some seconds at most, and is not begun twice", async () => {
  const { clock, errands } = stage();
  let tries = 0;
  const work = async () => {
    tries++;
    return fail();
  };
  async function triesWithin(seconds: number): Promise<number> {
    tries = 0;
    for (let passed = 0; passed < seconds; passed += 0.1) {
      await errands.run(errand, work);
      errands.excuse(KEY);
      await clock.turn(100);
    }
    return tries;
  }
  expect(await triesWithin(60)).toBeLessThan(60);
  expect(await triesWithin(60)).toBeGreaterThan(20);
  let begun = 0;
  const slow = { ...errand, uid: "pod-2" };
  const hangs = () => {
    begun++;
    return hang();
  };
  for (let again = 0; again < 2; again++) {
    void errands.run(slow, hangs);
    errands.excuse(KEY);
    await clock.turn(PATIENCE_MS);
  }
  expect(begun).toBe(1);
});

test("only a few of many errands run at a time, and none stops another", async () => {
  const { clock, errands } = stage();
  const uids = Array.from({ length: 100 }, (_, index) => `pod-${index}`);
  let [running, most] = [0, 0];
  const done: string[] = [];
  const all = errands.runEach(uids, (uid) =>
    errands.run({ ...errand, uid }, async () => {
      if (uid === "pod-0") return hang();
      if (uid === "pod-1") return fail();
      most = Math.max(most, ++running);
      await clock.sleep(10);
      running--;
      done.push(uid);
    }),
  );
  await clock.turn(PATIENCE_MS);
  expect(await all).toBe(false);
  expect([done.length, most]).toEqual([98, expect.any(Number)]);
  expect(most).toBeLessThan(20);
});

test("no errand begins after the term", async () => {
  const { clock } = stage();
  const logger = createLogger({ level: "silent" });
  const errands = createErrands({ clock, logger, isWanted: () => false, wake: () => undefined });
  expect(await errands.run(errand, () => Promise.reject(new Error("begun")))).toBe(false);
  expect(errands.isStuck(errand)).toBe(false);
});

test("a failure is logged with the Lease and what is known of the object", async () => {
  const { errands, lines } = stage();
  await errands.run({ ...errand, about: { pod: "run-1", request: "nightly-1" } }, fail);
  expect(lines).toMatchObject([
    { level: "warn", lease: KEY, pod: "run-1", request: "nightly-1", errand: "look", error: "quota" },
  ]);
});

test("what failed is forgotten a while after its rest, however many kleases and objects there were", async () => {
  const { clock, errands } = stage();
  for (let index = 0; index < 300; index++)
    await errands.run({ key: `ns/${index % 100}`, what: "look", uid: `pod-${index}` }, fail);
  expect(errands.size).toBe(300);
  await clock.turn(30_000);
  // Tried again: its entry stays as long as if it had failed only now.
  await errands.run({ key: "ns/7", what: "look", uid: "pod-7" }, fail);
  expect(errands.isStuck({ key: "ns/7", what: "look", uid: "pod-7" })).toBe(true);
  await clock.turn(200);
  expect(errands.size).toBe(1);
  await clock.turn(31_000);
  expect(errands.size).toBe(0);
});

test("failures of other kleases make no errand forget that it is stuck", async () => {
  const turned = turnedClock();
  // It keeps no timers: tens of thousands of them take a turned clock minutes.
  const clock = { ...turned, after: () => () => undefined };
  const errands = createErrands({
    ...{ clock, logger: createLogger({ level: "silent" }) },
    wake: () => undefined,
  });
  await errands.run(errand, fail);
  for (let index = 0; index < 10_001; index++) await errands.run({ ...errand, key: `other/${index}` }, fail);
  await clock.turn(PATIENCE_MS);
  expect(errands.isStuck(errand)).toBe(true);
});
