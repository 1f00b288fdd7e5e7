import { expect, test } from "vitest";
import { describeWaiting, showWaiting } from "../../../src/cli/waiting-line.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";
import { scriptedClient } from "./scripted-client.ts";

const own = aRequest({ name: "own", spec: { holder: "me", requestedAtMs: NOW_MS } });
const first = aRequest({ name: "first", spec: { holder: "a", requestedAtMs: NOW_MS - 5 } });
const last = aRequest({ name: "last", spec: { holder: "b", requestedAtMs: NOW_MS + 5 } });
const lease = held({ holder: "web\u001b[31m", expiresMs: NOW_MS + 480_000 });

test("the line shows place, holder and times, without control characters", () => {
  const queue = { requests: [last, own, first], nowMs: NOW_MS, leftMs: 24_000 };
  expect(describeWaiting({ lease, request: own }, queue)).toBe(
    "waiting for klease nightly: position 2 of 3, held by web [31m for 8m more unless renewed, 24s left",
  );
});

test("the line forecasts the turn once enough holds are known", () => {
  const known = { ...lease, status: { ...lease.status, holdSeconds: Array(10).fill(600) } };
  const queue = { requests: [own], nowMs: NOW_MS, leftMs: 24_000 };
  expect(describeWaiting({ lease: known, request: own }, queue)).toMatch(
    /unless renewed, its turn probably comes in 9m, 24s left$/,
  );
});

test("the line omits what is not known", () => {
  const queue = { requests: [], nowMs: NOW_MS, leftMs: Number.POSITIVE_INFINITY };
  expect(describeWaiting({ lease: undefined, request: own }, queue)).toBe(
    "waiting for klease nightly: it does not exist",
  );
});

function show(isTerminal: boolean) {
  const clock = turnedClock();
  const written: string[] = [];
  let lists = 0;
  const list = async () => {
    lists++;
    return { items: [own, first], resourceVersion: "1", continue: undefined };
  };
  const client = scriptedClient({ list: list as KubeClient["list"] });
  const io = { clock, isTerminal, err: (text: string) => void written.push(text) };
  const context = { cluster: { client, namespace: "ns" }, io } as unknown as Parameters<
    typeof showWaiting
  >[0];
  const line = showWaiting(context, { nowMs: () => NOW_MS }, { timeoutMs: 30_000 });
  return { clock, written, line, lists: () => lists };
}

test("a terminal shows one line, which is updated and finally removed, with one list of the queue", async () => {
  const { clock, written, line, lists } = show(true);
  line.show({ lease, request: own });
  line.show({ lease: aLease(), request: own });
  await clock.turn(2_000);
  line.end();
  line.end();
  await clock.turn(5_000);
  expect(lists()).toBe(1);
  expect(written.every((text) => text.startsWith("\r\u001b[2K"))).toBe(true);
  expect(written).toHaveLength(4);
  expect(written[1]).toContain("position 2 of 2, 29s left");
  expect(written.at(-1)).toBe("\r\u001b[2K");
});

test("without a terminal, one line says that waiting has begun, and the queue is not listed", async () => {
  const { clock, written, line, lists } = show(false);
  line.show({ lease, request: own });
  line.show({ lease, request: own });
  await clock.turn(5_000);
  line.end();
  expect(written).toEqual([
    expect.stringMatching(/^waiting for klease nightly, which is held by pod web \[31m since .*\n$/),
  ]);
  expect(lists()).toBe(0);
});
