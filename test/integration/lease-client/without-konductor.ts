/** One outage of konductor, longer than a ttl, and how each command reacts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Hold } from "../../../src/lease/types.ts";
import { beat, lastBeatMs } from "./beats.ts";
import type { Fixture, KoncliProcess } from "./fixture.ts";

export function withoutKonductorTests(fixture: () => Fixture): void {
  describe("without konductor", () => {
    let dir: string;
    const kleases = { worked: "", renewed: "", released: "", free: "" };
    let work: KoncliProcess;
    const beats = () => join(dir, "beats");
    const holdOf = async (name: string): Promise<Hold | undefined> =>
      (await fixture().lease(name)).status.hold;

    beforeAll(async () => {
      const { environment, koncli, newLease, start, until } = fixture();
      dir = await mkdtemp(join(tmpdir(), "konductor-without-"));
      for (const name of ["renewed", "released", "free"] as const) kleases[name] = await newLease();
      for (const name of [kleases.renewed, kleases.released])
        expect(await koncli("lease", "acquire", name, "--holder", "one")).toMatchObject({ code: 0 });
      kleases.worked = await newLease({ ttl: "15s" });
      // The command ignores SIGTERM.
      const command = ["bash", "-c", `trap '' TERM; ${beat(beats())}`];
      work = start("lease", "exec", kleases.worked, "--grace", "1s", "--", ...command);
      await until(kleases.worked, "to be renewed", ({ status }) => (status.hold?.renewals ?? 0) >= 1);
      await environment.konductor.stop();
    });
    afterAll(async () => {
      await fixture().environment.konductor.start();
      await rm(dir, { recursive: true });
    });

    test.concurrent("exec stops its command before the ttl is over", async () => {
      const hold = await holdOf(kleases.worked);
      expect(await work.ended).toBe(1);
      expect(work.err).toMatch(
        /error: klease .* is lost: it could not be renewed for \d+s, and its ttl of 15s/,
      );
      // No other client can be granted before `expiresMs`, which counts from when konductor saw the last renewal.
      expect(await lastBeatMs(beats())).toBeLessThan(hold?.expiresMs ?? 0);
    });

    test.concurrent("renew and acquire fail, and change nothing", async () => {
      const { koncli } = fixture();
      const hold = await holdOf(kleases.renewed);
      const unanswered = await koncli("lease", "renew", kleases.renewed, "--holder", "one");
      expect(unanswered).toMatchObject({ code: 2, out: "" });
      expect(unanswered.err).toMatch(/^error: konductor did not answer about klease .* within 10 s/);
      expect(await koncli("lease", "acquire", kleases.free, "--holder", "one")).toMatchObject({
        code: 2,
        err: expect.stringMatching(/^error: konductor does not answer, so klease .* cannot be asked for/),
      });
      expect(await holdOf(kleases.renewed)).toEqual(hold);
    });

    test.concurrent("release takes effect when konductor is back, with a warning", async () => {
      expect(await fixture().koncli("lease", "release", kleases.released, "--holder", "one")).toMatchObject({
        code: 0,
        err: `warning: konductor does not answer; klease ${kleases.released} is free when it does\n`,
      });
    });

    test("a klease that was released or lost meanwhile is free when konductor is back", async () => {
      const { environment, until } = fixture();
      await environment.konductor.start();
      for (const name of [kleases.released, kleases.worked])
        await until(name, "to be free", ({ status }) => status.hold === undefined);
    });
  });
}
