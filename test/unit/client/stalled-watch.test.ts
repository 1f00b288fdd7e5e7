/** A client that waits while its watch of the klease is silent and all else works. */
import { expect, test } from "vitest";
import { awaitGrant } from "../../../src/client/grant.ts";
import type { Place } from "../../../src/client/place-request.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { formatLeaseStatus, parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { held, NOW_MS } from "../lease/samples.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const own = { kind: "LeaseRequest", name: "r", uid: "own" } as const;

const kleaseHeld = (resourceVersion: string, hold: Partial<Hold>) => {
  const lease = held(hold);
  return {
    metadata: { namespace: "ns", name: "nightly", uid: "u", resourceVersion },
    spec: { ttl: "1m" },
    status: formatLeaseStatus(lease, lease.status, NOW_MS),
  };
};

const request = (resourceVersion: string, phase: string, renewTime?: string) => ({
  metadata: { namespace: "ns", name: "r", uid: own.uid, resourceVersion },
  spec: { lease: "nightly", holder: "ci", waitUntil: isoTime(NOW_MS + 600_000), renewTime },
  status: { phase },
});

test("learns of its grant from its request, and confirms it in time", async () => {
  const clock = turnedClock(NOW_MS);
  const { watches, watch } = scriptedWatches();
  const renewTime = isoTime(NOW_MS + 1_000);
  const grant = { ref: own, holder: "ci", token: 42, confirmed: false, renewals: 0 };
  let stored = kleaseHeld("10", {});
  const followed: Resource[] = [];
  const calls = {
    list: async () => ({ items: [parseLease(stored)], resourceVersion: "10", continue: undefined }),
    get: async () => parseLease(stored),
    patch: async () => {
      stored = kleaseHeld("30", { ...grant, confirmed: true, renewTimeMs: NOW_MS + 1_000 });
      return parseLeaseRequest(request("29", "Granted", renewTime));
    },
    watch(...[resource, ...others]: Parameters<KubeClient["watch"]>) {
      followed.push(resource);
      return watch(resource, ...others);
    },
  };
  const place: Place = { request: parseLeaseRequest(request("11", "Pending")), writtenUntilMs: 0 };
  let acquired: unknown;
  awaitGrant(
    {
      client: scriptedClient(calls as unknown as Partial<KubeClient>),
      ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
      user: async () => "alice",
    },
    { lease: "nightly", holder: "ci", timeoutMs: 600_000, create: false, join: false },
    place,
    { endMs: clock.monotonicMs() + 600_000, stop: new AbortController().signal },
  ).then(
    (hold) => {
      acquired = hold;
    },
    (error: unknown) => {
      acquired = error;
    },
  );
  await clock.turn(1_000);
  stored = kleaseHeld("20", grant);
  watches[followed.findIndex(({ plural }) => plural !== LEASES.plural)]?.send({
    type: "MODIFIED",
    object: request("21", "Granted"),
  });
  await clock.turn(9_000);
  expect(acquired).toMatchObject({ token: 42 });
});

test("whose wait is over before anything was shown says who holds, by reading the klease", async () => {
  const clock = turnedClock(NOW_MS);
  const calls = {
    list: () => new Promise(() => {}),
    get: async (resource: Resource) =>
      resource.plural === LEASES.plural ? parseLease(kleaseHeld("10", {})) : request("11", "Pending"),
    delete: async () => undefined,
  };
  const refused = awaitGrant(
    {
      client: scriptedClient(calls as unknown as Partial<KubeClient>),
      ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
      user: async () => "alice",
    },
    { lease: "nightly", holder: "ci", timeoutMs: 2_000, create: false, join: false },
    { request: parseLeaseRequest(request("11", "Pending")), writtenUntilMs: 0 },
    { endMs: clock.monotonicMs() + 2_000, stop: new AbortController().signal },
  );
  const said = expect(refused).rejects.toThrow(
    /^gave up waiting for klease nightly: it is held by pod run-1 since /,
  );
  await clock.turn(2_000);
  await said;
});

test.each([
  ["asks anew if its grant was taken back before it saw that", 0, { resolves: undefined }],
  ["is told that its request was deleted, whatever came of an earlier one", -60_000, { code: "Withdrawn" }],
])("whose request is gone %s", async (_, grantedInMs, outcome) => {
  const clock = turnedClock(NOW_MS);
  const { watches, watch } = scriptedWatches();
  const past = { ...{ token: 40, holder: "ci", reason: "NotConfirmed" as const }, renewals: 0 };
  const times = { acquiredMs: NOW_MS + grantedInMs, endedMs: NOW_MS + grantedInMs + 10_000 };
  const lease = held({});
  const status = { ...lease.status, history: [{ ...past, ...times }] };
  const stored = { ...kleaseHeld("10", {}), status: formatLeaseStatus(lease, status, NOW_MS) };
  const calls = {
    list: async () => ({ items: [parseLease(stored)], resourceVersion: "10", continue: undefined }),
    get: async () => parseLease(stored),
    watch,
  };
  const asked = request("11", "Pending");
  const requestedAt = isoTime(NOW_MS - 1_000);
  const place = parseLeaseRequest({ ...asked, spec: { ...asked.spec, requestedAt } });
  const waited = awaitGrant(
    {
      client: scriptedClient(calls as unknown as Partial<KubeClient>),
      ...{ namespace: "ns", clock, server: createServerClock(clock), random: () => 0 },
      user: async () => "alice",
    },
    { lease: "nightly", holder: "ci", timeoutMs: 600_000, create: false, join: false },
    { request: place, writtenUntilMs: 0 },
    { endMs: clock.monotonicMs() + 600_000, stop: new AbortController().signal },
  ).then(
    (hold) => ({ resolves: hold }),
    (error: unknown) => error,
  );
  await clock.turn(1_000);
  for (const each of watches) each.send({ type: "DELETED", object: request("21", "Granted") });
  await clock.turn(1_000);
  expect(await waited).toMatchObject(outcome);
});
