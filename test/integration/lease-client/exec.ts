import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../../cluster/wait.ts";
import { beat, lastBeatMs } from "./beats.ts";
import type { Fixture } from "./fixture.ts";

export function execTests(fixture: () => Fixture): void {
  describe("exec", () => {
    let dir: string;
    let files = 0;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "konductor-exec-"));
    });
    afterAll(() => rm(dir, { recursive: true }));

    /** The path of a new file, to which a command writes its output. */
    const newFile = () => join(dir, `file-${++files}`);
    const read = (path: string) => readFile(path, "utf8").catch(() => "");
    const written = (path: string, text: string) =>
      waitFor({
        what: `"${text}" in ${path}`,
        withinMs: 30_000,
        everyMs: 20,
        holds: async () => (await read(path)).includes(text),
      });

    test("passes token, expiry, output and exit code through, and releases", async () => {
      const { newLease, lease, requests, start } = fixture();
      const name = await newLease();
      const tokens: number[] = [];
      for (const code of [0, 7]) {
        const script = `echo $KONDUCTOR_TOKEN $KONDUCTOR_EXPIRES $HOME; exit ${code}`;
        const run = start("lease", "exec", name, "--", "sh", "-c", script);
        expect(await run.ended).toBe(code);
        expect(run.err).toBe("");
        const [token = "", expires = "", home] = run.out.trim().split(" ");
        tokens.push(Number(token));
        expect(Math.abs(Date.parse(expires) - Date.now() - 60_000)).toBeLessThan(10_000);
        expect(home).toBe(process.env["HOME"]);
        const { status } = await lease(name);
        expect(status.hold).toBeUndefined();
        expect(status.history[0]).toMatchObject({ reason: "Released", token: Number(token) });
        expect(await requests(name)).toEqual([]);
      }
      expect(tokens[1]).toBeGreaterThan(tokens[0] ?? 0);
    });

    test("a command that asks for its own klease is told so, and does not wait for itself", async () => {
      const { newLease, start, koncliCommand } = fixture();
      const [outer, inner] = [await newLease(), await newLease()];
      const nested = (command: readonly string[]) => [
        ...koncliCommand,
        "lease",
        "exec",
        inner,
        "--",
        ...command,
      ];
      const asking = (...args: string[]) => [...koncliCommand, "lease", ...args];
      for (const command of [
        asking("exec", outer, "--wait", "--", "true"),
        asking("acquire", outer, "--wait"),
        nested(asking("exec", outer, "--wait", "--", "true")),
      ]) {
        const run = start("lease", "exec", outer, "--", ...command);
        expect(await run.ended).toBe(1);
        expect(run.err).toMatch(/^error: klease .* is held by the "koncli lease exec" around this command/);
      }
      const other = start("lease", "exec", outer, "--", ...nested(["true"]));
      expect([await other.ended, other.err]).toEqual([0, ""]);
    });

    test("exits as a shell does for a command that a signal ended, or that cannot be run", async () => {
      const { newLease, start } = fixture();
      const name = await newLease();
      expect(await start("lease", "exec", name, "--", "sh", "-c", "kill -9 $$").ended).toBe(137);
      const missing = start("lease", "exec", name, "--", "/no/such/command");
      expect(await missing.ended).toBe(127);
      expect(missing.err).toBe("error: cannot run /no/such/command: there is no such command\n");
      expect(await start("lease", "exec", name, "--", dir).ended).toBe(126);
    });

    test("passes signals on to the command, and holds until the command has ended", async () => {
      const { newLease, lease, start } = fixture();
      const name = await newLease();
      const path = newFile();
      const traps = ["INT", "TERM", "HUP", "QUIT", "USR1", "ALRM", "XCPU", "USR2"]
        .map((signal) => `trap 'echo ${signal} >> ${path}' ${signal}`)
        .join("; ");
      const script = `${traps}; echo ready > ${path}; until grep -q USR2 ${path}; do sleep 0.05; done; exit 3`;
      const run = start("lease", "exec", name, "--", "bash", "-c", script);
      await written(path, "ready");
      for (const signal of ["INT", "TERM", "HUP", "QUIT", "USR1", "ALRM", "XCPU"]) {
        run.child.kill(`SIG${signal}` as NodeJS.Signals);
        await written(path, signal);
      }
      expect((await lease(name)).status.hold).toBeDefined();
      run.child.kill("SIGUSR2");
      expect(await run.ended).toBe(3);
      expect((await lease(name)).status.hold).toBeUndefined();
    });

    test("holds until the command's child processes have ended, too", async () => {
      const { newLease, start } = fixture();
      const name = await newLease();
      const [path, go, seen] = [newFile(), newFile(), newFile()];
      const worker = `trap 'until [ -e ${go} ]; do sleep 0.05; done; echo over >> ${path}; exit' TERM; echo ready > ${path}; while :; do sleep 0.05; done`;
      const run = start("lease", "exec", name, "--", "sh", "-c", `sh -c "${worker}"; true`);
      await written(path, "ready");
      run.child.kill("SIGTERM");
      await waitFor({
        what: "koncli to name what is left",
        withinMs: 30_000,
        holds: async () => /waiting for what it left running: \d+ \(/.test(run.err),
      });
      const copy = ["--", "cp", path, seen];
      const next = start("lease", "exec", name, "--wait", "--timeout", "1m", ...copy);
      await waitFor({
        what: "another one to wait",
        withinMs: 30_000,
        holds: async () => next.err.includes(`waiting for klease ${name}`),
      });
      await writeFile(go, "");
      expect(await next.ended).toBe(0);
      expect(await read(seen)).toBe("ready\nover\n");
      expect(await run.ended).toBe(143);
    });

    test("runs nothing if the klease is held, or if the command or the grace period is wrong", async () => {
      const { koncli, newLease, requests } = fixture();
      const name = await newLease();
      const path = newFile();
      const touch = ["--", "touch", path];
      const tooLong = await koncli("lease", "exec", name, "--ttl", "20s", "--grace", "15s", ...touch);
      expect(tooLong).toMatchObject({
        code: 2,
        err: expect.stringMatching(/--grace.* ttl 20s .* at most 8s /),
      });
      const forThis = await koncli("lease", "exec", name, "--grace", "45s", ...touch);
      expect(forThis).toMatchObject({ code: 2, err: expect.stringMatching(/too long for the ttl 1m/) });
      const undashed = await koncli("lease", "exec", name, "touch", path);
      expect(undashed).toMatchObject({ code: 2, err: expect.stringMatching(/"--" has to stand before/) });
      expect(await requests(name)).toEqual([]);
      await koncli("lease", "acquire", name, "--holder", "one");
      expect(await koncli("lease", "exec", name, ...touch)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/is held by one since/),
      });
      // Even under its own name exec must not run: two commands would run at once.
      expect(await koncli("lease", "exec", name, "--holder", "one", ...touch)).toMatchObject({ code: 1 });
      expect(await read(path)).toBe("");
    });

    test("renews for as long as the command runs", async () => {
      const { newLease, start, until } = fixture();
      const name = await newLease({ ttl: "15s" });
      const path = newFile();
      const run = start(
        "lease",
        "exec",
        name,
        "--grace",
        "1s",
        "--",
        "sh",
        "-c",
        `until [ -e ${path} ]; do sleep 0.05; done`,
      );
      const { status } = await until(
        name,
        "to be renewed",
        // Longer than the ttl of the grant.
        (lease) => (lease.status.hold?.renewals ?? 0) >= 3,
        90_000,
      );
      expect(status.history).toEqual([]);
      // Without a name of its own, another exec on this host waits like any client.
      expect(await start("lease", "exec", name, "--wait", "--timeout", "1s", "--", "true").ended).toBe(1);
      await writeFile(path, "");
      expect(await run.ended).toBe(0);
      expect(run.err).toBe("");
    });

    test("stops the command and its child processes when an admin takes the klease", async () => {
      const { koncliAs, newLease, start } = fixture();
      const name = await newLease();
      const [path, child] = [newFile(), newFile()];
      const script = `trap 'echo TERM >> ${path}; exit 0' TERM; (trap '' TERM; ${beat(child)}) & echo ready > ${path}; wait`;
      const run = start("lease", "exec", name, "--grace", "1s", "--", "bash", "-c", script);
      await written(path, "ready");
      await waitFor({
        what: "the child to beat",
        withinMs: 10_000,
        holds: async () => (await read(child)) !== "",
      });
      expect(await koncliAs("admin", "lease", "release", name, "--force")).toMatchObject({ code: 0 });
      expect(await run.ended).toBe(1);
      expect(run.err).toMatch(/^error: klease .* was taken away by .*; acquire it again to go on\n$/);
      expect(await read(path)).toContain("TERM");
      const endedMs = await lastBeatMs(child);
      await waitFor({
        what: "time to pass without a beat",
        withinMs: 10_000,
        holds: async () => Date.now() - endedMs > 500,
      });
      expect(await lastBeatMs(child)).toBe(endedMs);
    });

    test("does not renew a klease that is not renewable, and stops in time", async () => {
      const { newLease, start, lease } = fixture();
      const name = await newLease({ ttl: "6s", renewable: false });
      const path = newFile();
      const run = start("lease", "exec", name, "--", "bash", "-c", beat(path));
      await waitFor({ what: "a beat", withinMs: 20_000, holds: async () => (await read(path)) !== "" });
      const { hold } = (await lease(name)).status;
      expect(await run.ended).toBe(1);
      expect(run.err).toMatch(/^error: klease .* is lost: it is not renewable/);
      expect(await lastBeatMs(path)).toBeLessThan(hold?.expiresMs ?? 0);
    });
  });
}
