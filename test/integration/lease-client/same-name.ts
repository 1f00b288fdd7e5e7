/** Two processes of one user under one name: on one host, and in pods. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../../cluster/wait.ts";
import { koncli as runKoncli } from "../koncli.ts";
import { type Fixture, waits } from "./fixture.ts";

const DOCS = join(import.meta.dirname, "../../../docs/koncli.md");

/** The docs' script in which the shell keeps the klease itself. */
async function recipe(lease: string): Promise<string> {
  const [, script] = /keeps the Lease itself:\n\n```sh\n(.*?)```/s.exec(await readFile(DOCS, "utf8")) ?? [];
  if (script === undefined) throw new Error("docs/koncli.md has no such script");
  return script.replaceAll("nightly-report", lease);
}

export function sameNameTests(fixture: () => Fixture): void {
  describe("a second process under the same name", () => {
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "konductor-same-name-"));
    });
    afterAll(() => rm(dir, { recursive: true }));

    /** koncli in a pod. */
    const inPod = (podUid: string, ...args: string[]) =>
      runKoncli(["--kubeconfig", fixture().kubeconfigs.alice, "-n", fixture().namespace, ...args], {
        podUid,
      });

    test("that runs the docs' script neither runs beside the first nor ends its hold", async () => {
      const { newLease, lease, startScript, until } = fixture();
      const name = await newLease();
      const [log, go] = [join(dir, "log"), join(dir, "go")];
      const work = `generate-report() { echo begin >> ${log}; until [ -e ${go} ]; do sleep 0.05; done; echo end >> ${log}; }`;
      const script = `${work}\n${await recipe(name)}`.replaceAll("generate-report", "generate_report");
      const started = async () => (await readFile(log, "utf8").catch(() => "")).split("begin").length - 1;

      const first = startScript(script, { HOSTNAME: "build-1" });
      await waitFor({
        what: "the first run to work",
        withinMs: 30_000,
        holds: async () => (await started()) === 1,
      });
      const { hold } = (await lease(name)).status;
      const second = startScript(script, { HOSTNAME: "build-1" });
      expect(await second.ended).toBe(0);
      expect(second.out).toBe("somebody else is at it\n");
      expect(second.err).toMatch(
        new RegExp(
          `^error: klease ${name} is held under the name build-1 by another process of this user already, since \\S+Z, until \\S+Z ` +
            "unless it renews; give each process a name of its own \\(--holder\\), or take it over if that process has ended " +
            `\\(koncli lease acquire ${name} --holder build-1 --take-over\\)\n$`,
        ),
      );
      expect((await lease(name)).status.hold).toEqual(hold);
      expect(await started()).toBe(1);

      await writeFile(go, "");
      expect(await first.ended).toBe(0);
      const { status } = await until(name, "to be free", (each) => each.status.hold === undefined);
      expect(status.history).toMatchObject([{ reason: "Released", token: hold?.token }]);
    });

    test("takes over the hold only with --take-over, but renews and releases without it", async () => {
      const { koncli, koncliAs, newLease, lease } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "me", "--wait");
      const { hold } = (await lease(name)).status;
      for (const flags of [[], ["--wait", "--timeout", "5s"]]) {
        const refused = await koncli("lease", "acquire", name, "--holder", "me", ...flags);
        expect(refused).toMatchObject({ code: 1, out: "" });
      }
      const again = await koncli("lease", "acquire", name, "--holder", "me", "--take-over");
      expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`token ${hold?.token},`) });
      expect((await lease(name)).status.hold).toMatchObject({ token: hold?.token, renewals: 1 });
      // A hold of another user can never be taken over.
      const other = await koncliAs(
        "bob",
        "lease",
        "acquire",
        name,
        "--holder",
        "me",
        "--wait",
        "--take-over",
      );
      expect(other.code).toBe(1);
      expect(other.err).toMatch(
        /is held under the name me by user alice already, since \S+Z, .*; give each process a name/,
      );
      expect(other.err).not.toContain("--take-over");
      expect(await koncli("lease", "renew", name, "--holder", "me")).toMatchObject({ code: 0 });
      expect(await koncli("lease", "release", name, "--holder", "me")).toMatchObject({ code: 0 });
      // Without a hold to take over, the klease is acquired anew.
      expect(await koncli("lease", "acquire", name, "--holder", "me", "--take-over")).toMatchObject({
        code: 0,
      });
    });

    test("waits in the first one's place with --take-over", async () => {
      const { koncli, newLease, requests, start } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const first = start("lease", "acquire", name, "--holder", "two", "--wait", "--timeout", "60s");
      await waits(fixture(), first, name, "two");
      const uidOfTwo = async () => (await requests(name)).find(({ spec }) => spec.holder === "two")?.uid;
      const uid = await uidOfTwo();
      const wait = ["lease", "acquire", name, "--holder", "two", "--wait", "--timeout", "1s"];
      const refused = await koncli(...wait);
      expect(refused.code).toBe(1);
      expect(refused.err).toMatch(
        /is waited for under the name two by another process of this user already since \S+Z; give/,
      );
      expect((await koncli(...wait, "--take-over")).err).toContain("gave up waiting");
      // The first process waits on, for longer.
      expect(await uidOfTwo()).toBe(uid);
      await koncli("lease", "release", name, "--holder", "one");
      expect(await first.ended).toBe(0);
    });

    test("counts as the same holder in the same pod, but not in another pod", async () => {
      const { koncli, newLease, lease } = fixture();
      const name = await newLease();
      const acquire = ["lease", "acquire", name, "--holder", "web-0", "--wait"];
      expect(await inPod("pod-1", ...acquire)).toMatchObject({ code: 0 });
      const { hold } = (await lease(name)).status;
      const again = await inPod("pod-1", ...acquire);
      expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`token ${hold?.token},`) });
      const renewed = (await lease(name)).status.hold;
      expect(renewed).toMatchObject({ token: hold?.token, renewals: 1 });
      // Like a StatefulSet's pods, which have the same name one after the other.
      expect(await inPod("pod-2", ...acquire)).toMatchObject({ code: 1 });
      expect(await koncli(...acquire)).toMatchObject({ code: 1 });
      expect((await lease(name)).status.hold).toEqual(renewed);
      expect(await inPod("pod-1", "lease", "release", name, "--holder", "web-0")).toMatchObject({ code: 0 });
    });

    test("under exec is refused also in the same pod, because two commands would run", async () => {
      const { newLease } = fixture();
      const name = await newLease();
      expect(await inPod("pod-1", "lease", "acquire", name, "--holder", "web-0")).toMatchObject({ code: 0 });
      const exec = ["lease", "exec", name, "--holder", "web-0", "--", "touch", join(dir, "ran")];
      expect(await inPod("pod-1", ...exec)).toMatchObject({ code: 1 });
      await expect(readFile(join(dir, "ran"))).rejects.toThrow("ENOENT");
    });
  });
}
