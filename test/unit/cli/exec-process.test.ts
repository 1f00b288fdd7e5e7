/** Commands of koncli, as real processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { runProcess } from "../../../src/cli/exec-process.ts";
import { processesIn, read, runningAt } from "../../../src/cli/process-group.ts";
import { systemClock } from "../../../src/shared/clock.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-exec-process-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const file = (name: string) => join(dir, name);
const until = (name: string) => expect.poll(() => existsSync(file(name)), { timeout: 20_000 }).toBe(true);
/** A shell command that runs until a file of that name exists. */
const waitsFor = (name: string) => `until [ -e ${file(name)} ]; do sleep 0.02; done`;
/** Waits for the content, too, since a shell creates a file shortly before it writes into it. */
async function pidIn(name: string): Promise<number> {
  await expect
    .poll(() => existsSync(file(name)) && readFileSync(file(name), "utf8"), { timeout: 20_000 })
    .toMatch(/^\d+\n$/);
  return Number(readFileSync(file(name), "utf8"));
}
const create = (name: string) => writeFileSync(file(name), "");

function start(script: string, { graceMs = 10_000 } = {}) {
  const stop = new AbortController();
  const said: string[] = [];
  const io = { clock: systemClock(), err: (text: string) => void said.push(text), onExit: () => () => {} };
  const command = ["sh", "-c", script];
  const process = runProcess({ command, env: globalThis.process.env, stop: stop.signal, graceMs, io });
  onTestFinished(() => process.pass("SIGKILL"));
  let hasEnded = false;
  const ended = process.ended.finally(() => {
    hasEnded = true;
  });
  return { process, stop, said, ended, hasEnded: () => hasEnded };
}

describe("a command ends with the last process of its group", () => {
  test("at once, if it leaves nothing running", async () => {
    const { ended, said } = start("exit 7");
    expect(await ended).toBe(7);
    expect(said).toEqual([]);
  });

  test("even if a child is still handling the SIGTERM that ended the command itself", async () => {
    const worker = `trap '${waitsFor("worked")}; touch ${file("over")}; exit' TERM; touch ${file("ready")}; while :; do sleep 0.02; done`;
    const { process, ended, hasEnded } = start(`echo $$ > ${file("pid")}; sh -c "${worker}"; true`);
    await until("ready");
    process.pass("SIGTERM");
    const pid = await pidIn("pid");
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false);
    expect(hasEnded()).toBe(false);
    create("worked");
    expect(await ended).toBe(143);
    expect(existsSync(file("over"))).toBe(true);
  });

  test("and processes that it left running are named, not killed", async () => {
    const { ended, hasEnded, said } = start(`(${waitsFor("go")}; touch ${file("over")}) & exit 3`);
    await expect.poll(() => said.length, { timeout: 20_000 }).toBe(1);
    expect(said[0]).toMatch(
      /^warning: the command has ended; waiting for what it left running: \d+ \((sh|sleep)\)/,
    );
    expect(hasEnded()).toBe(false);
    create("go");
    expect(await ended).toBe(3);
    expect(existsSync(file("over"))).toBe(true);
    expect(said).toHaveLength(1);
  });

  test("a signal still reaches processes that it left running", async () => {
    const leave = `echo $$ > ${file("group")}; (${waitsFor("never")}) & exit 0`;
    const { process, ended, hasEnded } = start(leave);
    const group = await pidIn("group");
    await expect.poll(() => existsSync(`/proc/${group}`), { timeout: 20_000 }).toBe(false);
    expect(hasEnded()).toBe(false);
    process.pass("SIGTERM");
    expect(await ended).toBe(0);
  });

  test("processes that it left running are stopped when the klease is lost, even if that takes SIGKILL and they are paused", async () => {
    const leave = `(trap '' TERM; touch ${file("left")}; ${waitsFor("never")}) & echo $! > ${file("pid")}; echo $$ > ${file("group")}; exit 0`;
    const { stop, ended, said } = start(leave, { graceMs: 50 });
    await until("left");
    const pid = await pidIn("pid");
    globalThis.process.kill(pid, "SIGSTOP");
    await expect.poll(() => said.join(""), { timeout: 20_000 }).toContain(`${pid} (sh, stopped)`);
    stop.abort();
    expect(await ended).toBe(0);
    // Zombies do not count: their parent may not have reaped them yet.
    expect(processesIn(await pidIn("group"))).toEqual([]);
  });
});

test.runIf(process.getuid?.() === 0)(
  "an error says that a command under another user, as with sudo, cannot be stopped (needs root to switch users)",
  async () => {
    const path = join(import.meta.dirname, "../../../src/cli/exec-process.ts");
    const script = [
      `import { runProcess } from ${JSON.stringify(path)};`,
      `import { systemClock } from ${JSON.stringify(join(path, "../../shared/clock.ts"))};`,
      "const stop = new AbortController();",
      "const io = { clock: systemClock(), err: (text) => process.stderr.write(text), onExit: () => () => {} };",
      `const command = ["sh", "-c", ${JSON.stringify(`echo $$ > ${file("pid")}; ${waitsFor("go")}`)}];`,
      "const running = runProcess({ command, env: process.env, stop: stop.signal, graceMs: 50, io });",
      "process.setuid(65534);",
      'running.pass("SIGINT");',
      "stop.abort();",
      "process.exitCode = await running.ended;",
    ].join("\n");
    const koncli = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    koncli.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const ended = once(koncli, "close");
    const group = await pidIn("pid");
    const denied = (signal: string) =>
      `error: ${signal} cannot be sent to the command, which runs as another user (sudo?), and goes on: stop it yourself, process group ${group}\n`;
    await expect
      .poll(() => said, { timeout: 20_000 })
      .toBe(["SIGINT", "SIGTERM", "SIGKILL"].map(denied).join(""));
    expect(koncli.exitCode).toBeNull();
    create("go");
    expect(await ended).toEqual([0, null]);
  },
);

test("a group is read from proc(5), where threads may outlive the first one and names may hold any character", () => {
  const show = (pid: number, command: string, state: string, pgid: number, threads = 1) => {
    mkdirSync(file(String(pid)));
    const fields = [state, 1, pgid, pgid, 0, -1, ...Array(11).fill(0), threads, 0, 12_345];
    writeFileSync(join(file(String(pid)), "stat"), `${pid} (${command}) ${fields.join(" ")}\n`);
  };
  show(11, "worker", "S", 11);
  show(12, "a) R 1 99 (b", "T", 11);
  show(13, "zombie", "Z", 11);
  show(14, "first thread", "Z", 11, 3);
  show(15, "other", "S", 99);
  mkdirSync(file("self"));
  mkdirSync(file("16"));
  expect(read(dir, 11)).toMatchObject([
    { pid: 11, command: "worker", isStopped: false, hasEnded: false },
    { pid: 12, command: "a) R 1 99 (b", isStopped: true, hasEnded: false },
    { pid: 13, hasEnded: true },
    { pid: 14, hasEnded: false },
  ]);
});

describe("that nobody of a group runs any more", () => {
  const zombie = (pid: number) => ({ pid, command: "sh", isStopped: false, hasEnded: true });
  const running = (pid: number) => ({ ...zombie(pid), hasEnded: false });
  const seenAt = (...looks: ReturnType<typeof zombie>[][]) => runningAt(() => looks.shift() ?? []);

  test("is shown by two looks that find the same zombies", () => {
    expect(seenAt([zombie(11)], [zombie(11)])).toEqual([]);
  });

  test("is not shown by a look during which a process forked and ended", () => {
    expect(seenAt([zombie(11)], [zombie(11), running(12)])).toMatchObject([{ pid: 12 }]);
    // The child has done the same meanwhile.
    expect(seenAt([zombie(11)], [zombie(11), zombie(12)])).toBeUndefined();
    expect(seenAt([zombie(11), running(12)], [zombie(11), zombie(12)])).toMatchObject([{ pid: 12 }]);
  });

  test("is not shown where no process can be seen", () => {
    expect(seenAt([], [])).toBeUndefined();
  });
});
