import { expect, test } from "vitest";
import { createHoldClock, type HolderState } from "../../../src/controller/hold-clock.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { held } from "../lease/samples.ts";

const running: HolderState = { isEnding: false, isOutOfReach: false, isIdle: false, isAnswerable: true };
const refused: HolderState = { ...running, isEnding: true, isOutOfReach: true };
const told: HolderState = { ...running, isEnding: true };

test("a holder whose deletion was refused at first has its whole time to end from when it is deleted", async () => {
  const clock = turnedClock();
  const holdClock = createHoldClock(clock);
  const lease = held({ expired: true });
  const endingForMs = (state: HolderState) => {
    holdClock.observeHolder(lease, state);
    return holdClock.timers(lease).endingForMs;
  };
  expect(endingForMs(running)).toBe(0);
  expect(endingForMs(refused)).toBe(0);
  await clock.turn(34_000);
  expect(endingForMs(refused)).toBe(34_000);
  expect(endingForMs(told)).toBe(0);
  await clock.turn(1_000);
  expect(endingForMs(told)).toBe(1_000);
});
