import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runUnderLease } from "../../../src/client/run-under-lease.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLeaseRequest } from "../../../src/lease/codec.ts";
import { type Fixture, waits } from "./fixture.ts";

const KEY = "schema-v42";

export function onceTests(fixture: () => Fixture): void {
  describe("once", () => {
    const once = (name: string, script: string, ...flags: string[]) =>
      fixture().start("lease", "exec", name, "--once", KEY, ...flags, "--", "sh", "-c", script);

    test("a command that ended with 0 is not run again: koncli ends with 0 at once, and says who did it and when", async () => {
      const { newLease, lease, requests } = fixture();
      const name = await newLease();
      const first = once(name, "echo worked", "--holder", "first");
      expect({ code: await first.ended, out: first.out, err: first.err }).toEqual({
        ...{ code: 0, out: "worked\n", err: "" },
      });
      const { done = [], history } = (await lease(name)).status;
      expect(done).toEqual([
        { key: KEY, holder: "first", token: history[0]?.token, timeMs: history[0]?.endedMs },
      ]);
      expect(await requests(name)).toEqual([]);
      const second = once(name, "echo worked");
      expect({ code: await second.ended, out: second.out }).toEqual({ code: 0, out: "" });
      expect(second.err).toMatch(
        new RegExp(
          `^under klease ${name} "schema-v42" is done already: by first at 20\\S+Z, under token ${done[0]?.token}; the command is not run\n$`,
        ),
      );
    });

    test("of those who wait one works when the first has failed, and the other is told so and runs nothing", async () => {
      const { newLease } = fixture();
      const name = await newLease();
      const go = join(tmpdir(), `konductor-once-${process.pid}-${name}`);
      const first = once(name, `until [ -e ${go} ]; do sleep 0.1; done; exit 1`, "--holder", "first");
      await fixture().until(name, "to be held", ({ status }) => status.hold?.confirmed === true);
      const others = ["second", "third"].map((holder) => ({
        holder,
        run: once(name, "echo again", "--wait", "--timeout=-1s", "--holder", holder),
      }));
      for (const { holder, run } of others) await waits(fixture(), run, name, holder);
      await writeFile(go, "");
      expect(await first.ended).toBe(1);
      await rm(go);
      const codes = await Promise.all(others.map(({ run }) => run.ended));
      expect(codes).toEqual([0, 0]);
      expect(others.map(({ run }) => run.out).sort()).toEqual(["", "again\n"]);
    });

    test("a command that failed, or was told to stop and ended with 0, has not done the work", async () => {
      const { newLease, lease } = fixture();
      const name = await newLease();
      expect(await once(name, "exit 3").ended).toBe(3);
      const stopped = once(name, "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done");
      await fixture().until(name, "to be held", ({ status }) => status.hold?.confirmed === true);
      while (!stopped.out.includes("up"))
        await new Promise((resolve) => stopped.child.stdout?.once("data", resolve));
      stopped.child.kill("SIGTERM");
      expect(await stopped.ended).toBe(0);
      expect((await lease(name)).status.done).toBeUndefined();
      const next = once(name, "echo done", "--wait");
      expect({ code: await next.ended, out: next.out }).toEqual({ code: 0, out: "done\n" });
    });

    test("work of another key, and work without one, is done each time", async () => {
      const { newLease, koncli } = fixture();
      const name = await newLease();
      for (const flags of [["--once", "a"], ["--once", "b"], [], []])
        expect(await koncli("lease", "exec", name, ...flags, "--", "true")).toMatchObject({
          code: 0,
          err: "",
        });
    });

    test("a program's work is done once, and what a rejected work leaves is not noted", async () => {
      const { newLease, client, lease } = fixture();
      const name = await newLease();
      const options = { lease: name, timeoutMs: 10_000, once: KEY };
      const failing = runUnderLease(client(), { ...options, holder: "a" }, async () => {
        throw new Error("half done");
      });
      await expect(failing).rejects.toThrow("half done");
      expect(await runUnderLease(client(), { ...options, holder: "b" }, async () => 7)).toBe(7);
      expect((await lease(name)).status.done).toMatchObject([{ key: KEY, holder: "b" }]);
      const again = runUnderLease(client(), { ...options, holder: "c" }, async () => 8);
      await expect(again).rejects.toMatchObject({ code: "AlreadyDone" });
    });

    test("is listed by koncli lease done, and forgotten by whoever may patch the klease", async () => {
      const { newLease, koncli, koncliAs } = fixture();
      const name = await newLease();
      expect((await koncli("lease", "done", name)).out).toContain("no work is done");
      await once(name, "true", "--holder", "first").ended;
      expect((await koncli("lease", "done", name)).out).toMatch(
        /^KEY +HOLDER +DONE +AGE +TOKEN\nschema-v42 +first +20/,
      );
      const refused = await koncli("lease", "forget", name, KEY);
      expect({ code: refused.code, isRefused: refused.err.includes("konductor-admin") }).toEqual({
        ...{ code: 2, isRefused: true },
      });
      const forgotten = await koncliAs("admin", "lease", "forget", name, KEY);
      expect(forgotten).toMatchObject({
        code: 0,
        out: expect.stringContaining(`has forgotten "schema-v42"`),
      });
      expect((await koncliAs("admin", "lease", "forget", name, KEY)).out).toContain(
        "there is nothing to forget",
      );
      const again = once(name, "echo again");
      expect({ code: await again.ended, out: again.out }).toEqual({ code: 0, out: "again\n" });
      // A later success has a higher token than the one that was to be forgotten.
      expect(await once(name, "echo third").ended).toBe(0);
      expect((await koncli("lease", "done", name)).out).toContain("schema-v42");
    });

    test("is remembered by a klease that is created again from its backup, whose tokens go on", async () => {
      const { newLease, environment, namespace, koncliAs, lease } = fixture();
      const { client: admin } = environment;
      const name = await newLease();
      await once(name, "true", "--holder", "first").ended;
      const before = await lease(name);
      const backup = await admin.get(LEASES, { namespace, name }, (object) => object);
      await koncliAs("admin", "lease", "delete", name);
      const { metadata: _, ...rest } = backup as { metadata: object };
      await admin.create(LEASES, { ...rest, metadata: { namespace, name } });
      await fixture().until(
        name,
        "to have taken its list over",
        ({ isDoneOutdated }) => isDoneOutdated === false,
      );
      expect((await lease(name)).status.done).toEqual(
        before.status.done?.map((work) => ({ ...work, timeMs: expect.any(Number) })),
      );
      expect(await once(name, "echo again").ended).toBe(0);
      expect((await lease(name)).status.history).toEqual([]);
      await fixture().koncli("lease", "exec", name, "--", "true");
      expect((await lease(name)).status.lastToken).toBeGreaterThan(before.status.lastToken ?? 0);
    });

    test("nobody says of a request that it has succeeded before it is made, nor takes that back", async () => {
      const { environment, namespace, newLease } = fixture();
      const { client: admin } = environment;
      const name = await newLease();
      const metadata = { namespace, name: `${name}-by-hand` };
      const spec = { lease: name, holder: "ci", once: KEY, succeeded: 1 };
      const made = await admin.create(LEASE_REQUESTS, { metadata, spec }, parseLeaseRequest);
      expect(made.spec.succeeded).toBeUndefined();
      const { status } = await fixture().until(
        name,
        "to be held",
        (found) => found.status.hold !== undefined,
      );
      const patch = (succeeded: number | null) =>
        admin.patch(LEASE_REQUESTS, metadata, { spec: { succeeded } }, { type: "merge" });
      await patch(status.hold?.token ?? 0);
      const ended = await fixture().until(name, "to be free", (found) => found.status.hold === undefined);
      expect(ended.status.done).toMatchObject([{ key: KEY, holder: "ci", token: status.hold?.token }]);
      await expect(patch(1)).rejects.toMatchObject({ code: expect.stringMatching(/Invalid|NotFound/) });
    });
  });
}
