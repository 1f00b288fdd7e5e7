import { describe, expect, test } from "vitest";
import { LEASES } from "../../../src/kube/resources.ts";
import type { Fixture } from "./fixture.ts";

export function renewAndReleaseTests(fixture: () => Fixture): void {
  describe("renew", () => {
    test("extends the hold, under the same token", async () => {
      const { koncli, newLease, lease } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const before = (await lease(name)).status.hold;
      expect(await koncli("lease", "renew", name, "--holder", "one")).toMatchObject({
        code: 0,
        out: expect.stringMatching(`^klease ${name} renewed by one, token ${before?.token}, until `),
      });
      const after = (await lease(name)).status.hold;
      expect(after).toMatchObject({ token: before?.token, renewals: 1 });
      expect(after?.expiresMs).toBeGreaterThan(before?.expiresMs ?? 0);
    });

    test("is refused to a client that does not hold the klease, and names the holder", async () => {
      const { koncli, koncliAs, newLease, lease } = fixture();
      const name = await newLease();
      expect(await koncli("lease", "renew", name, "--holder", "one")).toMatchObject({
        code: 1,
        err: `error: klease ${name} is not held by one: nobody holds it\n`,
      });
      await koncli("lease", "acquire", name, "--holder", "one");
      const { hold } = (await lease(name)).status;
      expect(await koncli("lease", "renew", name, "--holder", "two")).toMatchObject({
        code: 1,
        err: expect.stringMatching(/is not held by two: it is held by one since/),
      });
      expect(await koncliAs("bob", "lease", "renew", name, "--holder", "one")).toMatchObject({
        code: 1,
        err: expect.stringMatching(/is held as one by user alice, not by you/),
      });
      expect((await lease(name)).status.hold).toEqual(hold);
    });

    test("is refused after the hold is over, and if the klease is not renewable", async () => {
      const { koncli, newLease, until, environment, namespace } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one", "--ttl", "1s");
      await until(name, "to expire", ({ status }) => status.history.length === 1);
      expect(await koncli("lease", "renew", name, "--holder", "one")).toMatchObject({ code: 1 });

      const once = await newLease({ renewable: false });
      await koncli("lease", "acquire", once, "--holder", "one");
      const refused = {
        code: 1,
        err: expect.stringMatching(/cannot be renewed \(spec.renewable is false\)/),
      };
      expect(await koncli("lease", "renew", once, "--holder", "one")).toMatchObject(refused);
      // If the klease became not renewable at this very moment, the arbiter would refuse the renewal.
      const spec = { renewable: true };
      await environment.client.patch(LEASES, { namespace, name: once }, { spec }, { type: "merge" });
      expect(await koncli("lease", "renew", once, "--holder", "one")).toMatchObject({ code: 0 });
      expect(await koncli("lease", "renew", "missing")).toMatchObject({ code: 2 });
    });
  });

  describe("release", () => {
    test("frees the klease, and is allowed to the holder alone", async () => {
      const { koncli, koncliAs, newLease, lease, requests } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const { hold } = (await lease(name)).status;
      const other = await koncli("lease", "release", name, "--holder", "two");
      expect(other).toMatchObject({
        code: 1,
        err: expect.stringMatching(/not held by two: it is held by one/),
      });
      const bob = await koncliAs("bob", "lease", "release", name, "--holder", "one");
      expect(bob).toMatchObject({ code: 1, err: expect.stringMatching(/held as one by user alice/) });
      expect((await lease(name)).status.hold).toEqual(hold);

      expect(await koncli("lease", "release", name, "--holder", "one")).toEqual({
        code: 0,
        out: `klease ${name} released by one\n`,
        err: "",
      });
      const { status } = await lease(name);
      expect(status.hold).toBeUndefined();
      expect(status.history[0]).toMatchObject({ holder: "one", reason: "Released" });
      expect(await requests(name)).toEqual([]);
      expect(await koncli("lease", "release", name, "--holder", "one")).toMatchObject({ code: 1 });
    });

    test("by force takes the klease from any holder, records who did it, and requires the right", async () => {
      const { koncli, koncliAs, newLease, lease } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      const refused = await koncli("lease", "release", name, "--force");
      expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/konductor-admin/) });
      expect((await lease(name)).status.hold).toBeDefined();
      expect(await koncliAs("admin", "lease", "release", name, "--force")).toMatchObject({
        code: 0,
        out: `klease ${name} taken from one\n`,
      });
      const { status } = await lease(name);
      expect(status.hold).toBeUndefined();
      expect(status.history[0]).toMatchObject({ holder: "one", reason: "Forced", by: expect.any(String) });
      expect(await koncli("lease", "renew", name, "--holder", "one")).toMatchObject({ code: 1 });
      expect(await koncliAs("admin", "lease", "release", name, "--force", "--now")).toMatchObject({
        code: 0,
        out: `nobody holds klease ${name}: there is nothing to release\n`,
      });
    });

    test("after the klease was deleted ends the old hold, so that a new klease of the same name can be granted", async () => {
      const { koncli, newLease, environment, namespace, until } = fixture();
      const name = await newLease();
      await koncli("lease", "acquire", name, "--holder", "one");
      await until(name, "to be confirmed", ({ status }) => status.hold?.confirmed === true);
      await environment.client.delete(LEASES, { namespace, name });
      expect(await koncli("lease", "release", name, "--holder", "one")).toMatchObject({ code: 0 });
      const next = await koncli("lease", "acquire", name, "--holder", "two", "--create");
      expect(next).toMatchObject({ code: 0 });
    });
  });
}
