import { expect, test } from "vitest";
import { createFairTurns } from "../../../src/server/bounds/fair-turns.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const FOREVER = new AbortController().signal;

function stage() {
  const clock = turnedClock(0);
  const turns = createFairTurns(clock);
  const began: string[] = [];
  /** Works for `ms` once it is its turn. */
  async function work(peer: string, name: string, ms: number, signal = FOREVER): Promise<void> {
    const end = await turns.take(peer, signal);
    began.push(`${name} at ${clock.monotonicMs()}`);
    await clock.sleep(ms);
    end();
  }
  return { clock, began, work };
}

test("turns are taken one at a time, each followed by a rest of three times its length", async () => {
  const { clock, began, work } = stage();
  const all = Promise.all([work("a", "first", 100), work("a", "second", 10), work("a", "third", 10)]);
  await clock.turn(1_000);
  await all;
  expect(began).toEqual(["first at 0", "second at 400", "third at 440"]);
});

test("peers take turns, however many turns one of them asks for", async () => {
  const { clock, began, work } = stage();
  const all = Promise.all([
    ...Array.from({ length: 4 }, (_, index) => work("much", `much-${index}`, 10)),
    work("little", "little", 10),
  ]);
  await clock.turn(1_000);
  await all;
  expect(began.map((line) => line.split(" ")[0])).toEqual(["much-0", "much-1", "little", "much-2", "much-3"]);
});

test("a caller that has gone is passed over", async () => {
  const { clock, began, work } = stage();
  const gone = new AbortController();
  const first = work("a", "first", 100);
  const second = work("a", "second", 10, gone.signal);
  const third = work("a", "third", 10);
  gone.abort(new Error("hung up"));
  await expect(second).rejects.toThrow("hung up");
  await clock.turn(1_000);
  await Promise.all([first, third]);
  expect(began).toEqual(["first at 0", "third at 400"]);
});

test("a turn that ends twice ends once", async () => {
  const clock = turnedClock(0);
  const turns = createFairTurns(clock);
  const end = await turns.take("a", FOREVER);
  const others = [turns.take("a", FOREVER), turns.take("a", FOREVER)];
  end();
  end();
  await clock.turn(1_000);
  let began = 0;
  for (const other of others) void other.then(() => began++);
  await clock.turn(1_000);
  expect(began).toBe(1);
});
