import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { ELECTION_TIMES } from "../../../src/kube/leader-election.ts";
import { CONFIRM_WITHIN_MS, EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { waitFor } from "../../cluster/wait.ts";
import { countTerms } from "../../e2e/election.ts";
import { type Fixture, waits } from "./fixture.ts";

/** An allowance for the start of processes meanwhile. */
const SLOW_MACHINE_MS = 5_000;

/** The longest that may pass until arbiters have counted `ms`: each of them counts anew from the beginning of its term. */
const countedWithinMs = (ms: number, newTerms: number) =>
  ms + newTerms * (ms + ELECTION_TIMES.leaseDurationMs) + SLOW_MACHINE_MS;

export function killedTests(fixture: () => Fixture): void {
  describe("killed by SIGKILL", () => {
    test("while it holds: the klease is free after its ttl, and not before", async () => {
      const { environment, newLease, start, until } = fixture();
      const name = await newLease({ ttl: "4s" });
      const terms = await countTerms(environment);
      const command = ["sh", "-c", "echo $$; exec sleep 60"];
      const holder = start("lease", "exec", name, "--holder", "one", "--", ...command);
      await until(name, "to be held", ({ status }) => status.hold?.confirmed === true);
      await waitFor({
        what: "the command to tell its process id",
        withinMs: 10_000,
        everyMs: 10,
        holds: async () => /^\d+\n$/.test(holder.out),
      });
      // No delay here: if the machine stands still for a second, koncli rightly stops the command in time.
      const exit = once(holder.child, "exit");
      holder.child.kill("SIGKILL");
      expect(await exit).toEqual([null, "SIGKILL"]);
      const killedMs = Date.now();
      const { hold } = (await fixture().lease(name)).status;
      const waiter = start("lease", "acquire", name, "--holder", "two", "--wait", "--timeout", "60s");
      expect(await waiter.ended).toBe(0);
      // As the docs say, nothing has stopped the command.
      process.kill(Number(holder.out), "SIGKILL");
      const { status } = await fixture().lease(name);
      const past = status.history.find(({ token }) => token === hold?.token);
      expect(past).toMatchObject({ holder: "one", reason: "Expired" });
      expect(past?.endedMs).toBeGreaterThanOrEqual(hold?.expiresMs ?? 0);
      const newTerms = (await countTerms(environment)) - terms;
      const expiryMs = countedWithinMs(4_000 + EXPIRY_ALLOWANCE_MS, newTerms);
      expect(status.hold?.acquiredMs).toBeLessThan(killedMs + expiryMs);
    });

    test("while it waits: it blocks no other client for more than 10 s", async () => {
      const { environment, koncli, newLease, start, lease } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const terms = await countTerms(environment);
      expect(terms).toBeGreaterThan(0);
      const flags = ["--wait", "--timeout", "10m"];
      const dead = start("lease", "acquire", name, "--holder", "dead", "--priority", "9", ...flags);
      await waits(fixture(), dead, name, "dead");
      const waiter = start("lease", "acquire", name, "--holder", "two", ...flags);
      await waits(fixture(), waiter, name, "two");
      dead.child.kill("SIGKILL");
      await dead.ended;
      const freeMs = Date.now();
      await koncli("lease", "release", name, "--holder", "one");
      expect(await waiter.ended).toBe(0);
      const blockedMs = Date.now() - freeMs;
      const newTerms = (await countTerms(environment)) - terms;
      expect(blockedMs).toBeLessThan(countedWithinMs(CONFIRM_WITHIN_MS, newTerms));
      const { history } = (await lease(name)).status;
      expect(history.map(({ holder, reason }) => [holder, reason])).toEqual([
        ["dead", "NotConfirmed"],
        ["one", "Released"],
      ]);
    });
  });
}
