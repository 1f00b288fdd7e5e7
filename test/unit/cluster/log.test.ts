import { expect, test } from "vitest";
import { streamLog } from "../../cluster/log.ts";

test("a status rewrites one line on a terminal, and a log line replaces it", () => {
  const written: string[] = [];
  const log = streamLog({ isTTY: true, write: (text) => written.push(text) });
  log.status("one");
  log.status("two");
  log.line("done");
  expect(written).toEqual(["\r\u001b[Kone", "\r\u001b[Ktwo", "\r\u001b[Kdone\n"]);
});

test("a status is written every 15 s without a terminal", () => {
  const written: string[] = [];
  let nowMs = 0;
  const log = streamLog({ write: (text) => written.push(text) }, () => nowMs);
  for (nowMs = 0; nowMs <= 30_000; nowMs += 1_000) log.status(`after ${nowMs / 1000} s`);
  expect(written).toEqual(["after 0 s\n", "after 15 s\n", "after 30 s\n"]);
});
