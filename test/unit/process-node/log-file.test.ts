import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LogFile, type LogOptions, openLogFile, readLog } from "../../cluster/process-node/log-file.ts";

let dir: string;
let log: LogFile;
let stdout: PassThrough;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "log-file-"));
  log = openLogFile(join(dir, "0.log"));
  stdout = new PassThrough();
  log.capture(stdout, "stdout");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const PLAIN: LogOptions = { follow: false, timestamps: false, tailLines: undefined, sinceMs: undefined };

async function read(
  options: Partial<LogOptions> = {},
  signal = new AbortController().signal,
): Promise<string> {
  let text = "";
  for await (const piece of readLog(log, { ...PLAIN, ...options }, signal)) text += piece;
  return text;
}

test("keeps lines, including empty ones, however they are split into pieces", async () => {
  for (const piece of ["one\n\ntw", "o\nth", "ree"]) stdout.write(piece);
  await new Promise(setImmediate);
  await log.close();
  expect(await read()).toBe("one\n\ntwo\nthree\n");
});

test("shows the last lines, and their times", async () => {
  stdout.write("one\ntwo\nthree\n");
  await new Promise(setImmediate);
  await log.close();
  expect(await read({ tailLines: 2 })).toBe("two\nthree\n");
  expect(await read({ tailLines: 0 })).toBe("");
  expect(await read({ tailLines: 1, timestamps: true })).toMatch(/^\d{4}-\d\d-\d\dT\S+Z three\n$/);
  expect(await read({ sinceMs: Date.now() + 60_000 })).toBe("");
});

test("follows until the container ends", async () => {
  const followed = read({ follow: true });
  stdout.write("one\n");
  await new Promise(setImmediate);
  stdout.write("two\n");
  await new Promise(setImmediate);
  await log.close();
  expect(await followed).toBe("one\ntwo\n");
});

test("stops following when nobody listens any more", async () => {
  const listener = new AbortController();
  const followed = read({ follow: true }, listener.signal);
  listener.abort();
  expect(await followed).toBe("");
});
