/** The files about the hold that the user's containers read, from the grant to the loss. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { GateConfig } from "../../../src/gate/config.ts";
import { runKeeper } from "../../../src/gate/keeping/keeper.ts";
import { leaseFiles } from "../../../src/gate/lease-files.ts";
import { runGate } from "../../../src/gate/waiting/gate.ts";
import { EXIT, PATH } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import { json, stream } from "./scripted-server.ts";
import { openStage, type Stage, TTL_MS } from "./stage.ts";

const NOW_MS = Date.parse("2026-01-01T02:00:10.900Z");
const BOOT_MS = 5_000;
const GRANTED = { state: "granted", token: 41, ttlMs: TTL_MS, renewEveryMs: TTL_MS / 3 };
const RENEWED = { token: 41, ttlMs: TTL_MS, renewals: 1 };

let certificate: Certificate;
let dir: string;
let stage: Stage | undefined;
beforeAll(() => {
  certificate = selfSigned();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-lease-"));
});
afterEach(async () => {
  await stage?.close();
  stage = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const read = (file: string) => readFileSync(join(dir, file), "utf8");
const files = () => leaseFiles({ dir, nowMs: () => NOW_MS, bootMs: () => BOOT_MS });

test("the files are token and expiry in a user's format, and nothing else", () => {
  files().show({ token: 1_767_225_600_001, deadline: BOOT_MS + 30_500 });
  expect(readdirSync(dir).sort()).toEqual(["expires", "token"]);
  expect(read("token")).toBe("1767225600001");
  expect(read("expires")).toBe("2026-01-01T02:00:41Z");
});

test("everybody may read the files, whatever the umask is", () => {
  const umask = process.umask(0o077);
  try {
    files().show({ token: 41, deadline: BOOT_MS });
  } finally {
    process.umask(umask);
  }
  for (const file of ["token", "expires"]) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o644);
});

test("a reader that has opened a file can read it to the end after it was replaced", () => {
  const shown = files();
  shown.show({ token: 41, deadline: BOOT_MS + 1_000 });
  const open = openSync(join(dir, "expires"), "r");
  shown.show({ token: 41, deadline: BOOT_MS + 60_000 });
  expect(readFileSync(open, "utf8")).toBe("2026-01-01T02:00:11Z");
  closeSync(open);
  expect(read("expires")).toBe("2026-01-01T02:01:10Z");
});

test("the token is never there without its expiry", () => {
  mkdirSync(join(dir, "expires"));
  expect(() => files().show({ token: 41, deadline: BOOT_MS })).toThrow();
  expect(existsSync(join(dir, "token"))).toBe(false);
  rmSync(join(dir, "expires"), { recursive: true });
  files().show({ token: 41, deadline: BOOT_MS });
  rmSync(join(dir, "expires"));
  mkdirSync(join(dir, "expires"));
  // The expiry is removed last, so the token is gone even where the removal of the expiry fails.
  expect(() => files().hide()).toThrow();
  expect(existsSync(join(dir, "token"))).toBe(false);
});

test("hiding missing files is no error, and nothing is written without a directory", () => {
  files().hide();
  const unread = leaseFiles({ dir: undefined, nowMs: () => NOW_MS, bootMs: () => BOOT_MS });
  unread.show({ token: 41, deadline: BOOT_MS });
  unread.hide();
  expect(readdirSync(dir)).toEqual([]);
});

async function start(changes: Partial<GateConfig> = {}): Promise<Stage> {
  stage = await openStage(certificate, { leaseDir: dir, ...changes });
  stage.server.play(PATH.acquire, stream([GRANTED], { end: true }));
  stage.server.play(PATH.renew, json(RENEWED));
  stage.server.play(PATH.release, json({ released: true }));
  return stage;
}

/** The time that the stage's clock shows at `ms`. Its time of day and its time since boot are the same. */
const timeAt = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

test("the gate writes the files before it lets main through, and removes those of an earlier run", async () => {
  const { context, server, stored } = await start();
  context.leaseFiles.show({ token: 40, deadline: 0 });
  const exit = runGate(context);
  await server.received(PATH.acquire);
  expect(readdirSync(dir)).toEqual([]);
  expect(await exit).toBe(EXIT.done);
  expect(read("token")).toBe("41");
  expect(read("expires")).toBe(timeAt(stored()?.deadline ?? 0));
});

test("a gate that cannot write the files does not let main through", async () => {
  const { context } = await start({ leaseDir: join(dir, "missing") });
  await expect(runGate(context)).rejects.toThrow("ENOENT");
});

test("the expiry moves on with every renewal", async () => {
  const { context, clock, server, hold, stored, termination, terminate } = await start();
  context.leaseFiles.show(hold());
  const before = read("expires");
  const exit = runKeeper(context, termination);
  await clock.turn(TTL_MS / 3);
  await server.received(PATH.renew);
  await expect.poll(() => read("expires")).not.toBe(before);
  expect(read("expires")).toBe(timeAt(stored()?.deadline ?? 0));
  expect(read("token")).toBe("41");
  terminate();
  expect(await exit).toBe(EXIT.done);
  // The files stay, since main may still run if the grace period has run out.
  expect(read("token")).toBe("41");
});

test("the files are removed when the hold is lost", async () => {
  const { context, clock, server, hold, termination } = await start();
  context.leaseFiles.show(hold());
  server.play(PATH.renew, json({ reason: "Revoked" }, 409));
  const exit = runKeeper(context, termination);
  await clock.turn(TTL_MS / 3);
  expect(await exit).toBe(EXIT.fenced);
  expect(readdirSync(dir)).toEqual([]);
});

test("the files come back with the hold under on-lost: continue", async () => {
  const { context, clock, server, hold, termination, terminate } = await start({ onLost: "continue" });
  context.leaseFiles.show(hold());
  server.play(PATH.renew, json({ reason: "NotHolder" }, 409), json(RENEWED));
  const exit = runKeeper(context, termination);
  await clock.turn(TTL_MS / 3);
  await server.received(PATH.renew);
  await expect.poll(() => readdirSync(dir)).toEqual([]);
  await expect
    .poll(() => clock.turn(1_000).then(() => readdirSync(dir).sort()))
    .toEqual(["expires", "token"]);
  terminate();
  expect(await exit).toBe(EXIT.done);
});
