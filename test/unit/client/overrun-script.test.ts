/** A script that has overrun its ttl while another process of the same name has acquired the klease. This behaviour is known to be wrong. */
import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { release } from "../../../src/client/release-for-client.ts";
import { holdOfHolder } from "../../../src/client/renew-for-client.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

/** The first process held with token 41. Now the second holds. */
const KLEASE = {
  metadata: { namespace: "ns", name: "nightly", uid: "lease", resourceVersion: "9" },
  spec: { ttl: "10m" },
  status: {
    phase: "Held",
    holder: "host-1",
    holderRef: { kind: "LeaseRequest", name: "nightly-1", uid: "request-of-the-second" },
    acquired: "2026-01-01T00:00:00Z",
    expires: "2026-01-01T00:10:00Z",
    confirmed: true,
    fencingToken: 42,
    history: [{ holder: "host-1", token: 41, reason: "Expired" }],
  },
};

test("its renewal renews the other's hold, so that it is not told to stop", () => {
  expect(holdOfHolder(parseLease(KLEASE), "host-1").token).toBe(42);
});

test("its release ends the other's hold", async () => {
  const clock = turnedClock();
  const deleted: unknown[] = [];
  const calls = {
    async get(resource: Resource, _: object, parse: (value: unknown) => unknown) {
      expect(resource).toBe(LEASES);
      return parse(KLEASE);
    },
    async delete(_: Resource, __: object, { uid }: { uid?: string }) {
      deleted.push(uid);
    },
  };
  const context: ClientContext = {
    client: scriptedClient({ ...scriptedWatches(), ...(calls as unknown as Partial<KubeClient>) }),
    namespace: "ns",
    clock,
    server: createServerClock(clock),
    user: async () => "alice",
    random: () => 0,
  };
  const released = release(context, { lease: "nightly", holder: "host-1" });
  await clock.waitedFor(5_000);
  await clock.turn(5_000);
  await released;
  expect(deleted).toEqual(["request-of-the-second"]);
});
