import { describe, expect, test } from "vitest";
import { deleteRequest } from "../../../src/objects/lease-objects.ts";
import { type Clock, systemClock } from "../../../src/shared/clock.ts";
import { waitFor } from "../../cluster/wait.ts";
import { type Fixture, waits } from "./fixture.ts";

const HOUR_MS = 3_600_000;

export function acquireTests(fixture: () => Fixture): void {
  describe("acquire", () => {
    test("a single try is granted if the klease is free, and refused after one GET if it is held", async () => {
      const { koncli, newLease, lease, requests } = fixture();
      const name = await newLease();
      const first = await koncli("lease", "acquire", name, "--holder", "one");
      expect(first).toMatchObject({ code: 0, err: "" });
      const { hold } = (await lease(name)).status;
      expect(hold).toMatchObject({ holder: "one", confirmed: true, ttlMs: 60_000 });
      expect(first.out).toMatch(
        new RegExp(`^klease ${name} acquired by one, token ${hold?.token}, until 20\\S+Z\n$`),
      );
      const second = await koncli("-v", "lease", "acquire", name, "--holder", "two", "--timeout", "0");
      expect(second).toMatchObject({ code: 1, out: "" });
      const [call, sentence, ...more] = second.err.trimEnd().split("\n");
      expect(call).toMatch(/ GET .*: HTTP 200$/);
      expect(sentence).toMatch(new RegExp(`^error: klease ${name} is held by one since .*; wait for it`));
      expect(more).toEqual([]);
      expect((await requests(name)).map(({ spec }) => spec.holder)).toEqual(["one"]);
    });

    test("a waiting client is granted when the klease is released, under a higher token", async () => {
      const { koncli, newLease, lease, start } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const before = (await lease(name)).status.hold?.token ?? 0;
      const flags = ["--holder", "two", "--wait", "--timeout", "60s", "-o", "json"];
      const waiter = start("lease", "acquire", name, ...flags);
      await waits(fixture(), waiter, name, "two");
      expect(await koncli("lease", "release", name, "--holder", "one")).toMatchObject({ code: 0 });
      expect(await waiter.ended).toBe(0);
      const { status } = JSON.parse(waiter.out);
      expect(status).toMatchObject({ holder: "two", confirmed: true });
      expect(status.fencingToken).toBeGreaterThan(before);
    });

    test("a client that waited in vain says who holds, and leaves nothing behind", async () => {
      const { koncli, newLease, requests } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const begunMs = performance.now();
      const late = await koncli("lease", "acquire", name, "--holder", "two", "--wait", "--timeout", "2s");
      expect(performance.now() - begunMs).toBeGreaterThan(2_000);
      expect(late.code).toBe(1);
      // The request alone may have taken up the whole wait.
      expect(late.err).toMatch(
        /^(waiting for klease .* held by one .*\n)?error: gave up waiting for .*: it is held by one since .*\n$/,
      );
      expect((await requests(name)).map(({ spec }) => spec.holder)).toEqual(["one"]);
    });

    test("a client without a name of its own may be another process of its host", async () => {
      const { koncli, newLease } = fixture();
      const nameless = await newLease();
      expect(await koncli("lease", "acquire", nameless)).toMatchObject({ code: 0 });
      const second = await koncli("lease", "acquire", nameless, "--wait");
      expect(second.code).toBe(1);
      expect(second.err).toMatch(
        /^error: klease .* by another process of this user already, since .* \(--holder\)/,
      );
    });

    test("SIGTERM and SIGINT withdraw a waiting client's request", async () => {
      const { koncli, newLease, requests, start } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const waiter = start("lease", "acquire", name, "--holder", signal, "--wait", "--timeout", "-1s");
        await waits(fixture(), waiter, name, signal);
        waiter.child.kill(signal);
        expect(await waiter.ended).toBe(1);
        expect(waiter.err).toMatch(/error: no longer waiting for klease .*: it was told to stop\n$/);
        expect((await requests(name)).map(({ spec }) => spec.holder)).toEqual(["one"]);
      }
    });

    test("a client whose request an admin deletes is told so", async () => {
      const { environment, koncli, newLease, requests, start } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const waiter = start("lease", "acquire", name, "--holder", "two", "--wait", "--timeout", "60s");
      await waits(fixture(), waiter, name, "two");
      const request = (await requests(name)).find(({ spec }) => spec.holder === "two");
      if (!request) throw new Error("the waiter has no request");
      await deleteRequest(environment.client, request);
      expect(await waiter.ended).toBe(1);
      expect(waiter.err).toContain("somebody has deleted its LeaseRequest");
    });

    test("the request of an earlier hold or try is replaced", async () => {
      const { koncli, newLease, requests, until } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one", "--ttl", "1s");
      await until(name, "to expire", ({ status }) => status.history[0]?.reason === "Expired");
      await waitFor({
        what: "the request to say that its hold is over",
        withinMs: 10_000,
        holds: async () => (await requests(name))[0]?.status.phase === "Expired",
      });
      expect(await koncli("lease", "acquire", name, "--holder", "one")).toMatchObject({ code: 0 });
      await until(name, "to be held again", ({ status }) => status.hold?.confirmed === true);
    });

    test("--create creates a missing klease, and without it a missing klease is an error", async () => {
      const { koncli, lease, newLease } = fixture();
      const name = `${await newLease()}-new`;
      const missing = await koncli("lease", "acquire", name, "--holder", "one");
      expect(missing).toMatchObject({
        code: 2,
        err: expect.stringContaining(`there is no klease "${name}"`),
      });
      const flags = ["--create", "--ttl", "90s", "--priority", "3"];
      expect(await koncli("lease", "acquire", name, "--holder", "one", ...flags)).toMatchObject({ code: 0 });
      expect(await lease(name)).toMatchObject({
        spec: { ttlMs: 90_000 },
        status: { hold: { holder: "one", ttlMs: 90_000 } },
      });
    });

    test("a client whose clock is an hour off waits for as long as any other", async () => {
      const { client, koncli, newLease, requests } = fixture();
      for (const offMs of [-HOUR_MS, HOUR_MS]) {
        const clock: Clock = { ...systemClock(), nowMs: () => Date.now() + offMs };
        const name = await newLease();
        await koncli("lease", "acquire", name, "--holder", "one");
        const wish = { lease: name, holder: "two", join: true };
        await expect(client(clock).acquire({ ...wish, timeoutMs: 1_500 })).rejects.toMatchObject({
          code: "TimedOut",
        });
        const granted = client(clock).acquire({ ...wish, timeoutMs: 60_000 });
        await waitFor({
          what: "the request",
          withinMs: 20_000,
          holds: async () => (await requests(name)).length === 2,
        });
        const { spec } = (await requests(name)).find((each) => each.spec.holder === "two") ?? {};
        expect(Math.abs((spec?.waitUntilMs ?? 0) - Date.now() - 60_000)).toBeLessThan(10_000);
        await koncli("lease", "release", name, "--holder", "one");
        expect(await granted).toMatchObject({ holder: "two", ttlMs: 60_000 });
        expect((await client(clock).renew({ lease: name, holder: "two" })).expiresMs).toBeGreaterThan(
          Date.now(),
        );
      }
    });

    test("a wait without a timeout is extended again and again", async () => {
      const { client, koncli, newLease, requests } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const system = systemClock();
      // A sleep of five minutes takes half a second.
      const clock: Clock = {
        ...system,
        sleep: (ms, signal) => system.sleep(ms === 300_000 ? 500 : ms, signal),
      };
      const stop = new AbortController();
      const wish = { lease: name, holder: "two", join: true, timeoutMs: Number.POSITIVE_INFINITY };
      const waiting = client(clock).acquire({ ...wish, signal: stop.signal });
      const seen = new Set<number>();
      await waitFor({
        what: "three different ends of the wait",
        withinMs: 30_000,
        async holds() {
          const request = (await requests(name)).find(({ spec }) => spec.holder === "two");
          if (request) seen.add(request.spec.waitUntilMs ?? 0);
          return seen.size >= 3;
        },
      });
      for (const untilMs of seen) expect(Math.abs(untilMs - Date.now() - 600_000)).toBeLessThan(30_000);
      stop.abort();
      await expect(waiting).rejects.toMatchObject({ code: "Withdrawn" });
      expect(await requests(name)).toHaveLength(1);
    });
  });
}
