/** What only a real API server shows about deploy/crds: whether it accepts the schemas and rules, and what it answers users. */
import { join } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { formatLeaseStatus, parseLease } from "../../src/lease/codec.ts";
import type { Hold, LeaseStatus, PastHold } from "../../src/lease/types.ts";
import { API_VERSION } from "../../src/shared/names.ts";
import { kubectlOf } from "./kubectl.ts";

const CRDS = join(import.meta.dirname, "../../deploy/crds");
const NAMESPACE = "crds";
const kubectl = kubectlOf(inject("cluster"));
const inNamespace = `--namespace=${NAMESPACE}`;

beforeAll(async () => {
  await kubectl("apply", `--filename=${CRDS}`);
  await kubectl("wait", "--for=condition=Established", `--filename=${CRDS}`);
  await kubectl("create", "namespace", NAMESPACE);
});

const objectOf = (kind: string, name: string, spec: object) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});
const create = (kind: string, name: string, spec: object) =>
  kubectl.withObject(objectOf(kind, name, spec), "create", "--output=json");
const tryOut = (kind: string, name: string, spec: object) =>
  kubectl.withObject(objectOf(kind, name, spec), "create", "--dry-run=server");
const patch = (what: string, change: object, ...args: string[]) =>
  kubectl("patch", what, inNamespace, "--type=merge", `--patch=${JSON.stringify(change)}`, ...args);
const patchStatus = (what: string, status: object | null) => patch(what, { status }, "--subresource=status");
const columns = async (what: string) =>
  (await kubectl("get", what, inNamespace)).split("\n", 1)[0]?.split(/\s+/).filter(Boolean);

const DURATION = "must be a Go duration longer than 0, such as 90s, 10m or 1h30m";
const HELD = {
  phase: "Held",
  holder: "report-1",
  acquired: "2026-01-01T00:00:00Z",
  expires: "2026-01-01T00:10:00Z",
  fencingToken: 5,
};

describe("Lease", () => {
  test("gets its defaults", async () => {
    const lease: unknown = JSON.parse(await create("Lease", "defaults", { ttl: "10m" }));
    expect(lease).toMatchObject({ spec: { ttl: "10m", priority: 0, renewable: true } });
  });

  test.each(["10m", "1h30m", "1.5h", "+5s", ".5s", "5.s", "5µs", "100ms"])("accepts ttl %s", async (ttl) => {
    await tryOut("Lease", "ttl", { ttl });
  });

  test.each(["", "0", "0s", "-5s", "10", "1d", "10 minutes", "0.1ns", "9999999h"])(
    "refuses ttl %j",
    async (ttl) => {
      await expect(tryOut("Lease", "ttl", { ttl })).rejects.toThrow(DURATION);
    },
  );

  test.each([
    ["no ttl", {}, "spec.ttl: Required value"],
    ["a ttl without end", { ttl: `${"1".repeat(64)}s` }, "spec.ttl: Too long"],
    ["a priority in words", { ttl: "1m", priority: "high" }, "spec.priority in body must be of type integer"],
    [
      "an unknown handoverPolicy",
      { ttl: "1m", handoverPolicy: "Never" },
      'supported values: "AfterExpiry", "AfterTermination"',
    ],
    ["an interval without a unit", { ttl: "1m", minInterval: "5" }, DURATION],
    ["no interval at all", { ttl: "1m", minInterval: "0s" }, DURATION],
    [
      "fewer than none",
      { ttl: "1m", maxWaiting: -1 },
      "spec.maxWaiting in body should be greater than or equal to 0",
    ],
    ["a part of one", { ttl: "1m", maxWaiting: 1.5 }, "spec.maxWaiting in body must be of type int32"],
    ["a pause in words", { ttl: "1m", paused: "yes" }, "spec.paused in body must be of type boolean"],
    ["two lines", { ttl: "1m", pauseReason: "a\nb" }, "must be one line without control characters"],
    ["text that turns around", { ttl: "1m", pauseReason: "a\u202eb" }, "must be one line without control"],
    ["a story", { ttl: "1m", pauseReason: "a".repeat(257) }, "spec.pauseReason: Too long"],
    ["an unknown field", { ttl: "1m", renewble: false }, 'unknown field "spec.renewble"'],
  ])("refuses %s", async (_, spec, message) => {
    await expect(tryOut("Lease", "bad", spec)).rejects.toThrow(message);
  });

  test("takes a reason of a pause in any script", async () => {
    await tryOut("Lease", "paused", { ttl: "1m", paused: true, pauseReason: "Daten werden geprüft: 保守中" });
  });

  test("refuses a name that is longer than a label value", async () => {
    await tryOut("Lease", "a".repeat(63), { ttl: "1m" });
    await expect(tryOut("Lease", "a".repeat(64), { ttl: "1m" })).rejects.toThrow("at most 63 characters");
  });

  test("refuses a status that contradicts itself", async () => {
    await create("Lease", "contradiction", { ttl: "1m" });
    for (const field of ["holder", "acquired", "expires", "fencingToken"] as const) {
      const { [field]: _, ...status } = HELD;
      await expect(patchStatus("klease/contradiction", status)).rejects.toThrow(
        "phase Held requires holder, acquired, expires and fencingToken",
      );
    }
    for (const status of [{ holder: "a" }, { holderRef: { kind: "Pod", name: "a", uid: "u" } }]) {
      await expect(patchStatus("klease/contradiction", { phase: "Available", ...status })).rejects.toThrow(
        "phase Available must have no holder and no holderRef",
      );
    }
    await expect(patchStatus("klease/contradiction", { phase: "Gone" })).rejects.toThrow("Unsupported value");
  });

  test("stores every field that konductor writes", async () => {
    const lease = parseLease(JSON.parse(await create("Lease", "whole", { ttl: "1m" })));
    const nowMs = Date.parse(HELD.acquired);
    const past: PastHold = {
      holder: "a",
      acquiredMs: nowMs,
      endedMs: nowMs,
      reason: "Forced",
      token: 4,
      by: "ada",
    };
    const hold: Hold = {
      holder: "report-1",
      ref: { kind: "Pod", name: "report-1", uid: "u", node: "n", graceSeconds: 30, selfFencing: true },
      token: 5,
      acquiredMs: nowMs,
      expiresMs: nowMs + 60_000,
      ttlMs: 60_000,
      renewals: 3,
      renewTimeMs: nowMs,
      confirmed: true,
      expired: false,
      releasing: true,
      revoked: "Forced",
      unreachable: true,
    };
    const status: LeaseStatus = {
      ...lease.status,
      hold,
      lastToken: 5,
      lastRequest: "u",
      waiters: 2,
      next: { holder: "report-2", sinceMs: nowMs },
      history: Array.from({ length: 10 }, () => past),
      lastEndedMs: nowMs,
      observedGeneration: lease.generation,
    };
    const written = formatLeaseStatus(lease, status, nowMs);
    await patchStatus("klease/whole", written);
    const stored: unknown = JSON.parse(await kubectl("get", "klease/whole", inNamespace, "--output=json"));
    expect(stored).toHaveProperty("status", written);
    const { history } = formatLeaseStatus(lease, { ...status, history: [...status.history, past] }, nowMs);
    await expect(patchStatus("klease/whole", { history })).rejects.toThrow("must have at most 10 items");
  });

  test("never decreases or loses its fencing token", async () => {
    await create("Lease", "token", { ttl: "1m" });
    await patchStatus("klease/token", HELD);
    const lost = "status.fencingToken: Invalid value: must never decrease or be removed";
    await expect(patchStatus("klease/token", { fencingToken: 4 })).rejects.toThrow(lost);
    await expect(patchStatus("klease/token", { fencingToken: null })).rejects.toThrow(lost);
    await expect(patchStatus("klease/token", null)).rejects.toThrow(lost);
  });

  test("requires a higher fencing token for every new hold, but not for a renewal", async () => {
    await create("Lease", "grant", { ttl: "1m" });
    await patchStatus("klease/grant", HELD);
    await patchStatus("klease/grant", { expires: "2026-01-01T00:20:00Z", renewals: 1 });
    const reused = "status.fencingToken: Invalid value: must increase with every new hold";
    await expect(patchStatus("klease/grant", { holder: "report-2" })).rejects.toThrow(reused);
    await patchStatus("klease/grant", { holder: "report-2", fencingToken: 6 });
    await patchStatus("klease/grant", { phase: "Available", holder: null });
    await expect(patchStatus("klease/grant", { ...HELD, fencingToken: 6 })).rejects.toThrow(reused);
    await patchStatus("klease/grant", { ...HELD, fencingToken: 7 });
  });

  test("shows its state in columns, under its own short name and category", async () => {
    await create("Lease", "columns", { ttl: "10m" });
    const requestedAt = new Date(Date.now() - 7_200_000).toISOString();
    await patchStatus("klease/columns", { ...HELD, waiters: 2, next: { holder: "report-2", requestedAt } });
    expect(await columns("klease")).toEqual([
      "NAME",
      "PHASE",
      "HOLDER",
      "EXPIRES",
      "TTL",
      "WAITERS",
      "NEXT",
      "WAITING",
      "TOKEN",
      "PAUSED",
      "AGE",
    ]);
    const row = await kubectl("get", "klease/columns", inNamespace, "--no-headers");
    expect(row.split(/\s+/).slice(0, 9)).toEqual([
      "columns",
      "Held",
      "report-1",
      HELD.expires,
      "10m",
      "2",
      "report-2",
      "120m",
      "5",
    ]);
    expect(await kubectl("get", "konductor", inNamespace)).toContain("lease.konductor.io/columns");
  });
});

describe("LeaseRequest", () => {
  const REQUEST = {
    lease: "report",
    holder: "report-1",
    holderRef: { kind: "Pod", name: "report-1", uid: "u" },
    priority: 3,
    ttl: "5m",
    requestedAt: "2026-01-01T00:00:00.123456Z",
    requestedBy: "alice",
    gateRun: "0a1b/1000",
  };

  test.each([
    ["no lease", { holder: "a" }, "spec.lease: Required value"],
    ["no holder", { lease: "a" }, "spec.holder: Required value"],
    [
      "a lease that no klease can be named",
      { lease: "Nightly_Report", holder: "a" },
      "must be the name of a klease",
    ],
    ["a holder that is too long", { lease: "a", holder: "h".repeat(254) }, "spec.holder: Too long"],
    [
      "a holder that clears a terminal",
      { lease: "a", holder: "a\u001b[2J" },
      "must not contain control characters",
    ],
    ["a holder of two lines", { lease: "a", holder: "a\nb" }, "must not contain control characters"],
    [
      "a holder that reads backwards",
      { lease: "a", holder: "a\u202eb" },
      "must not contain control characters",
    ],
    ["a bad ttl", { lease: "a", holder: "a", ttl: "0s" }, DURATION],
    ["a moment in words", { lease: "a", holder: "a", waitUntil: "tomorrow" }, "must be of type date-time"],
  ])("refuses %s", async (_, spec, message) => {
    await expect(tryOut("LeaseRequest", "bad", spec)).rejects.toThrow(message);
  });

  test("keeps microseconds, and can change in renewTime and waitUntil only", async () => {
    const created: unknown = JSON.parse(await create("LeaseRequest", "whole", REQUEST));
    expect(created).toMatchObject({ spec: REQUEST, status: { phase: "Pending" } });
    await patch("klr/whole", { spec: { renewTime: REQUEST.requestedAt, waitUntil: REQUEST.requestedAt } });
    await patch("klr/whole", { spec: { renewTime: null, waitUntil: null } });
    const changes = {
      lease: "other",
      holder: "other",
      holderRef: { uid: "other" },
      priority: 4,
      ttl: "6m",
      requestedAt: "2026-01-01T00:00:00.123457Z",
      requestedBy: "bob",
      gateRun: "0a1b/2000",
    };
    for (const [field, value] of Object.entries(changes)) {
      await expect(patch("klr/whole", { spec: { [field]: value } })).rejects.toThrow("must not change");
    }
  });

  test("neither loses an optional field nor gets one later", async () => {
    const { lease, holder, ...optional } = REQUEST;
    await create("LeaseRequest", "full", REQUEST);
    await create("LeaseRequest", "bare", { lease, holder });
    for (const [field, value] of Object.entries(optional)) {
      const refusal = new RegExp(`spec\\.${field}: .*must not change`);
      await expect(patch("klr/full", { spec: { [field]: null } })).rejects.toThrow(refusal);
      await expect(patch("klr/bare", { spec: { [field]: value } })).rejects.toThrow(refusal);
    }
  });

  test("must have a token to be granted", async () => {
    await create("LeaseRequest", "granted", REQUEST);
    await expect(patchStatus("klr/granted", { phase: "Granted" })).rejects.toThrow(
      "phase Granted requires fencingToken",
    );
    await patchStatus("klr/granted", {
      phase: "Granted",
      fencingToken: 7,
      holdTtlMs: 300_000,
      expires: "2026-01-01T00:05:00Z",
      reason: "",
    });
    const ttl = "--output=jsonpath={.status.holdTtlMs}";
    expect(await kubectl("get", "klr/granted", inNamespace, ttl)).toBe("300000");
  });

  test("shows how long it has waited, and since when it holds", async () => {
    await create("LeaseRequest", "shown", REQUEST);
    const row = async () =>
      (await kubectl("get", "klr/shown", inNamespace, "--no-headers")).trim().split(/\s+/);
    expect(await columns("klr")).toEqual([
      ...["NAME", "LEASE", "HOLDER", "PRIORITY", "PHASE", "TOKEN", "GRANTED", "AGE"],
    ]);
    const waits = ["shown", "report", "report-1", "3", "Pending", expect.stringMatching(/^\d+s$/)];
    expect(await row()).toEqual(waits);
    const lastTransitionTime = new Date(Date.now() - 7_200_000).toISOString();
    const condition = { type: "Granted", reason: "Granted", message: "it holds", lastTransitionTime };
    const granted = { phase: "Granted", fencingToken: 7, conditions: [{ ...condition, status: "True" }] };
    await patchStatus("klr/shown", granted);
    expect(await row()).toEqual([...["shown", "report", "report-1", "3", "Granted", "7", "120m"], waits[5]]);
    const over = { phase: "Expired", conditions: [{ ...condition, status: "False" }] };
    await patchStatus("klr/shown", over);
    expect(await row()).toEqual(["shown", "report", "report-1", "3", "Expired", "7", waits[5]]);
  });
});

test.each([
  "klease",
  "klease.spec",
  "klease.status",
  "klease.status.holderRef",
  "klease.status.conditions",
  "klease.status.history",
  "klease.status.next",
  "klr",
  "klr.spec",
  "klr.spec.holderRef",
  "klr.status",
  "klr.status.conditions",
])("kubectl explains %s and each of its fields", async (path) => {
  const text = await kubectl("explain", path, `--api-version=${API_VERSION}`);
  expect(text).toContain("DESCRIPTION:");
  expect(text).not.toContain("<no description>");
  expect(text).not.toContain("<empty>");
});
