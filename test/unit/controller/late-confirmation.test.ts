/** A confirmation that comes while its grant is taken back: the request is already marked as passed over, and the klease is not free yet. */
import { expect, test } from "vitest";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { followUps } from "../../../src/lease/follow-ups.ts";
import { requestName } from "../../../src/lease/naming.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import { createLeaseTurns } from "../../../src/server/gate-api/hold/lease-turns.ts";
import { renew } from "../../../src/server/gate-api/hold/renew-for-pod.ts";
import { createWrittenRenewals } from "../../../src/server/gate-api/hold/written-renewals.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { memoryCache } from "../gate-api/memory-cache.ts";
import { memoryCaches } from "../gate-api/samples.ts";
import { situationOf } from "../lease/samples.ts";
import { recordedClient } from "./recorded-client.ts";

const ME = { kind: "Pod", name: "me", uid: "me" } as const;
const klease = (resourceVersion: string, status: object) => ({
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion },
  spec: { ttl: "10m" },
  status,
});
const GRANTED = klease("5", {
  ...{
    phase: "Held",
    holder: "me",
    holderRef: ME,
    fencingToken: 42,
    requestUID: "request-me",
    confirmed: false,
  },
  ...{ acquired: "2026-01-01T00:00:00Z", expires: "2026-01-01T00:10:00Z" },
});
const POD = parsePod({
  metadata: { namespace: "a", name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" } },
});

test("a late confirmation is refused, and overwrites the mark, which the arbiter then restores", async () => {
  let lease = GRANTED;
  let request: object = {
    metadata: { namespace: "a", name: requestName("report", ME), uid: "request-me", resourceVersion: "7" },
    spec: { lease: "report", holder: "me", holderRef: ME, requestedAt: "2025-12-31T23:00:00Z" },
    status: { phase: "Pending", reason: "NotConfirmed" },
  };
  const { client } = recordedClient(({ what, sent }) => {
    if (what === "replaceStatus leases") {
      lease = klease("6", {
        ...{ phase: "Available", fencingToken: 42 },
        history: [{ holder: "me", token: 42, reason: "NotConfirmed" }],
      });
      throw new KonductorError("Conflict", "the arbiter was faster");
    }
    if (what === "replaceStatus leaserequests") request = { ...request, status: record(sent)["status"] };
    return what.endsWith("leases") ? lease : request;
  });
  const clock = turnedClock(Date.parse("2026-01-01T00:00:10Z"));
  const caches = { ...memoryCaches(), pods: memoryCache<PodView>() };
  caches.leases.apply(parseLease(GRANTED));
  const options = {
    ...{
      client,
      caches,
      clock,
      turns: createLeaseTurns(clock),
      renewals: createWrittenRenewals(clock),
      reporter: { report: () => {} },
    },
  } as unknown as Parameters<typeof renew>[0];
  const answer = await renew(options, POD, { lease: "report", token: 42, ttlMs: 600_000, gateRun: "b/100" });
  expect(answer).toMatchObject({ ok: false, reason: "NotHolder" });
  const traced = parseLeaseRequest(request);
  expect(traced.status).toEqual({ phase: "Granted", token: 42 });
  const steps = followUps({
    ...situationOf(parseLease(lease), {
      requests: [traced],
      evidenceOf: () => ({ is: "present", pod: POD }),
      nowMs: clock.nowMs(),
    }),
    hasLapsed: () => false,
  });
  expect(steps).toEqual([
    { do: "mark", request: traced, status: { phase: "Pending", reason: "NotConfirmed" } },
  ]);
});
