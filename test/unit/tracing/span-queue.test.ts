/** Spans wait in bounded room, and a receiver that is down costs spans, and nothing else. */
import { expect, test } from "vitest";
import { KonductorError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { createLogger } from "../../../src/shared/log.ts";
import type { Span } from "../../../src/tracing/span.ts";
import { createSpanQueue } from "../../../src/tracing/span-queue.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const SPAN: Span = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  name: "main",
  startMs: 0,
  endMs: 1,
  attributes: {},
  namespace: "ns",
};
const many = (count: number, namespace = "ns") =>
  Array.from({ length: count }, () => ({ ...SPAN, namespace }));

/** A queue whose receiver answers what `answer` says, and all that becomes of its spans. */
function staged(answer: () => Promise<number> = async () => 0) {
  const clock = turnedClock();
  const batches: number[] = [];
  const lines: string[] = [];
  const fates = { sent: 0, refused: 0, dropped: 0 };
  const silent = createLogger({ level: "silent" });
  const line = (_: unknown, message: string) => void lines.push(message);
  const logger: Logger = Object.assign(Object.create(silent), { warn: line, info: line });
  const queue = createSpanQueue({
    sender: {
      send(spans) {
        batches.push(spans.length);
        return answer();
      },
    },
    recorder: (fate, count) => {
      fates[fate] += count;
    },
    clock,
    logger,
  });
  return { queue, clock, batches, lines, fates };
}

const unreachable = () => Promise.reject(new KonductorError("Unreachable", "connection refused"));

test("spans are sent together, 5 s after the first", async () => {
  const { queue, clock, batches, fates } = staged();
  queue.add(many(3));
  await clock.turn(4_999);
  queue.add(many(2));
  expect(batches).toEqual([]);
  await clock.turn(1);
  expect(batches).toEqual([5]);
  expect(fates).toEqual({ sent: 5, refused: 0, dropped: 0 });
});

test("a full batch is sent at once, and one at a time", async () => {
  const answers: ((refused: number) => void)[] = [];
  const { queue, clock, batches, fates } = staged(() => new Promise((resolve) => answers.push(resolve)));
  queue.add(many(1_000));
  expect(batches).toEqual([512]);
  queue.add(many(24));
  await clock.turn(60_000);
  expect(batches).toEqual([512]);
  answers.shift()?.(0);
  await clock.turn(0);
  expect(batches).toEqual([512, 512]);
  answers.shift()?.(12);
  await clock.turn(0);
  expect(fates).toEqual({ sent: 1_012, refused: 12, dropped: 0 });
});

test("while the receiver is down spans wait, are dropped when there is no room, and one line says so", async () => {
  let isDown = true;
  const { queue, clock, batches, lines, fates } = staged(() => (isDown ? unreachable() : Promise.resolve(0)));
  for (let minute = 0; minute < 60; minute++) {
    queue.add([...many(100, "a"), ...many(100, "b")]);
    await clock.turn(60_000);
  }
  expect(fates).toEqual({ sent: 0, refused: 0, dropped: 60 * 200 - 2_048 });
  // Backoff: no more than one try in half a minute, once it has grown.
  expect(batches.length).toBeLessThan(130);
  expect(lines).toHaveLength(1);
  isDown = false;
  await clock.turn(60_000);
  expect(fates.sent).toBe(2_048);
  expect(lines.slice(1)).toEqual(["traces are taken again"]);
});

test("one namespace leaves room for the others", async () => {
  const { queue, fates } = staged(() => new Promise(() => undefined));
  queue.add(many(5_000, "greedy"));
  expect(fates.dropped).toBe(5_000 - 1_024);
  queue.add(many(1_024, "modest"));
  expect(fates.dropped).toBe(5_000 - 1_024);
});

test("room comes back with what was sent", async () => {
  const { queue, clock, fates } = staged();
  for (let round = 0; round < 10; round++) {
    queue.add(many(1_024));
    await clock.turn(5_000);
  }
  expect(fates).toEqual({ sent: 10_240, refused: 0, dropped: 0 });
});

test("what the receiver will never take is not sent again, and one line says so", async () => {
  const { queue, clock, batches, lines, fates } = staged(() =>
    Promise.reject(new KonductorError("Invalid", "answered 404")),
  );
  for (let round = 0; round < 5; round++) {
    queue.add(many(10));
    await clock.turn(5_000);
  }
  expect(batches).toEqual([10, 10, 10, 10, 10]);
  expect(fates.refused).toBe(50);
  expect(lines).toHaveLength(1);
});

test("a flush sends what waits, and gives up where the receiver is down", async () => {
  const up = staged();
  up.queue.add(many(3));
  await up.queue.flush();
  expect(up.batches).toEqual([3]);
  const down = staged(unreachable);
  down.queue.add(many(3));
  await down.queue.flush();
  expect(down.batches).toEqual([3]);
});
