/** What the user's containers read of the hold, from the grant to its loss. */
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

test("token and expiry are there as a user reads them, and nothing else", () => {
  files().show({ token: 1_767_225_600_001, deadline: BOOT_MS + 30_500 });
  expect(readdirSync(dir).sort()).toEqual(["expires", "token"]);
  expect(read("token")).toBe("1767225600001");
  expect(read("expires")).toBe("2026-01-01T02:00:41Z");
});

test("everybody may read them, whatever the umask is", () => {
  const umask = process.umask(0o077);
  try {
    files().show({ token: 41, deadline: BOOT_MS });
  } finally {
    process.umask(umask);
  }
  for (const file of ["token", "expires"]) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o644);
});

test("a reader that has opened one reads it to its end, though it was replaced", () => {
  const shown = files();
  shown.show({ token: 41, deadline: BOOT_MS + 1_000 });
  const open = openSync(join(dir, "expires"), "r");
  shown.show({ token: 41, deadline: BOOT_MS + 60_000 });
  expect(readFileSync(open, "utf8")).toBe("2026-01-01T02:00:11Z");
  closeSync(open);
  expect(read("expires")).toBe("2026-01-01T02:01:10Z");
});

test("no token is there without its expiry", () => {
  mkdirSync(join(dir, "expires"));
  expect(() => files().show({ token: 41, deadline: BOOT_MS })).toThrow();
  expect(existsSync(join(dir, "token"))).toBe(false);
  rmSync(join(dir, "expires"), { recursive: true });
  files().show({ token: 41, deadline: BOOT_MS });
  rmSync(join(dir, "expires"));
  mkdirSync(join(dir, "expires"));
  // It goes last, so what keeps it from going leaves no token either.
  expect(() => files().hide()).toThrow();
  expect(existsSync(join(dir, "token"))).toBe(false);
});

test("hides what is not there without a word, and writes nothing where nobody reads", () => {
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

/** The stage's clock counts time of day and time since boot alike. */
const timeAt = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

test("the gate leaves them before it lets main through, and nothing of an earlier run", async () => {
  const { context, server, stored } = await start();
  context.leaseFiles.show({ token: 40, deadline: 0 });
  const exit = runGate(context);
  await server.received(PATH.acquire);
  expect(readdirSync(dir)).toEqual([]);
  expect(await exit).toBe(EXIT.done);
  expect(read("token")).toBe("41");
  expect(read("expires")).toBe(timeAt(stored()?.deadline ?? 0));
});

test("a gate that cannot leave them lets nobody through", async () => {
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
  // Main may be running on, if the grace period has run out.
  expect(read("token")).toBe("41");
});

test("they are gone when the hold is lost", async () => {
  const { context, clock, server, hold, termination } = await start();
  context.leaseFiles.show(hold());
  server.play(PATH.renew, json({ reason: "Revoked" }, 409));
  const exit = runKeeper(context, termination);
  await clock.turn(TTL_MS / 3);
  expect(await exit).toBe(EXIT.fenced);
  expect(readdirSync(dir)).toEqual([]);
});

test("with on-lost: continue they are back when the hold is", async () => {
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
