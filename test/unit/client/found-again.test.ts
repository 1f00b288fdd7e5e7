/** A hold that was acquired before, and is found again: in the same pod by a restarted container, or by a process that takes over. */
import { expect, test } from "vitest";
import { acquire } from "../../../src/client/acquire-for-client.ts";
import type { Wish } from "../../../src/client/types.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { formatLeaseStatus, parseLease } from "../../../src/lease/codec.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { timeMs } from "../../../src/shared/json.ts";
import { CLIENT_POD_ANNOTATION } from "../../../src/shared/names.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { held, NOW_MS } from "../lease/samples.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const TTL_MS = 60_000;

type Parse = (value: unknown) => unknown;

/** What "web-0" is told that has held since before with so much of its ttl left, at an API server where a renewal is answered at once. */
async function acquireAgain(
  leftMs: number,
  { wish = { pod: "pod-1" }, renewable = true }: { wish?: Partial<Wish>; renewable?: boolean } = {},
) {
  const clock = turnedClock(NOW_MS);
  let hold: Partial<Hold> = {
    ...{ holder: "web-0", ref: { kind: "LeaseRequest", name: "r", uid: "u" }, ttlMs: TTL_MS, renewals: 0 },
    expiresMs: NOW_MS + leftMs,
  };
  const klease = () => {
    const lease = held(hold, { renewable });
    return {
      metadata: { namespace: "ns", name: "nightly", uid: "l", resourceVersion: "8" },
      spec: { ttl: "1m", renewable },
      status: formatLeaseStatus(lease, lease.status, NOW_MS),
    };
  };
  const request = (renewTime?: string) => ({
    metadata: {
      ...{ namespace: "ns", name: "r", uid: "u", resourceVersion: "7" },
      annotations: { [CLIENT_POD_ANNOTATION]: "pod-1" },
    },
    spec: { lease: "nightly", holder: "web-0", requestedBy: "alice", waitUntil: isoTime(NOW_MS), renewTime },
    status: { phase: "Granted", fencingToken: 41 },
  });
  const calls = {
    ...scriptedWatches(),
    get: async (resource: Resource, _: object, parse: Parse) =>
      parse(resource === LEASES ? klease() : request()),
    list: async () => ({ items: [parseLease(klease())], resourceVersion: "8" }),
    async patch(_: Resource, __: object, ___: unknown, ____: object, parse: Parse) {
      const renewTime = isoTime(clock.nowMs());
      hold = { ...hold, renewTimeMs: timeMs(renewTime) ?? 0 };
      if (renewable) hold = { ...hold, renewals: 1, expiresMs: clock.nowMs() + TTL_MS };
      return parse(request(renewTime));
    },
  };
  const acquired = acquire(
    {
      client: scriptedClient(calls as unknown as Partial<KubeClient>),
      ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
      user: async () => "alice",
    },
    { lease: "nightly", holder: "web-0", join: false, timeoutMs: 0, ...wish },
  ).catch((error: unknown) => error);
  await clock.turn(10_000);
  return acquired;
}

test.each([
  ["in the same pod", 1_000, {}],
  ["by a process that takes over", 1_000, { wish: { join: true } }],
  ["after its ttl, before konductor ends it", -1_000, {}],
])("it is renewed %s, and lasts for its whole ttl", async (_, leftMs, options) => {
  expect(await acquireAgain(leftMs, options)).toMatchObject({
    ...{ token: 41, request: { name: "r", uid: "u" } },
    ...{ sentMs: NOW_MS, expiresMs: NOW_MS + TTL_MS },
  });
});

test("if it is not renewable, it lasts for the rest of its ttl, and there is none after that", async () => {
  const rest = await acquireAgain(20_000, { renewable: false });
  expect(rest).toMatchObject({ token: 41, sentMs: undefined, expiresMs: NOW_MS + 20_000 });
  expect(await acquireAgain(-1_000, { renewable: false })).toMatchObject({ code: "NotRenewable" });
});
