/** koncli against a real API server, as scripts run it: arguments in, text and exit code out. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { grantHold } from "../../src/lease/grant.ts";
import { createLease, writeLeaseStatus } from "../../src/objects/lease-objects.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { aRequest } from "../unit/lease/samples.ts";
import { koncli as runKoncli } from "./koncli.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "koncli";
const cluster = inject("cluster");
const client = adminClient(cluster);
const kubectl = kubectlOf(cluster);

const koncli = (...args: string[]) =>
  runKoncli(["--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, ...args]);

beforeAll(async () => {
  await kubectl("apply", "-f", join(import.meta.dirname, "../../deploy/crds"));
  await kubectl(
    "wait",
    "--for=condition=Established",
    "crd/leases.konductor.io",
    "crd/leaserequests.konductor.io",
  );
  await kubectl("create", "namespace", NAMESPACE);
  await waitFor({
    what: "the new resources to be served",
    withinMs: 20_000,
    holds: async () => (await kubectl("-n", NAMESPACE, "get", "klease,klr", "-o", "name")) === "",
  });
  await createLease(client, { namespace: NAMESPACE, name: "free", ttlMs: 60_000 });
  const lease = await createLease(client, { namespace: NAMESPACE, name: "taken", ttlMs: 600_000 });
  const request = aRequest({ spec: { holder: "ci-7" } });
  const ref = { kind: "LeaseRequest", name: "r", uid: "u" } as const;
  const token = lease.createdMs;
  const status = grantHold(lease.status, { request, ref, token, ttlMs: 600_000 }, Date.now());
  await writeLeaseStatus(client, lease, status, Date.now());
});
afterAll(async () => {
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await client.close();
});

test("list shows every klease of the namespace", async () => {
  const { code, out } = await koncli("lease", "list");
  expect(code).toBe(0);
  expect(out).toMatch(/^NAME +PHASE +HOLDER/);
  expect(out).toMatch(/\nfree +Available /);
  expect(out).toMatch(/\ntaken +Held +ci-7 /);
  expect((await koncli("lease", "list", "-o", "name")).out).toBe(
    "lease.konductor.io/free\nlease.konductor.io/taken\n",
  );
  expect(JSON.parse((await koncli("lease", "list", "-o", "json")).out)).toMatchObject({ kind: "List" });
  expect((await koncli("lease", "list", "--all-namespaces")).out).toMatch(/\nkoncli +free /);
});

test("status shows one klease, also in kubectl's formats", async () => {
  const { code, out } = await koncli("lease", "status", "taken");
  expect(code).toBe(0);
  expect(out).toMatch(/\nPhase: +Held\n/);
  expect(out).toMatch(/\nHolder: +ci-7\n/);
  expect(out).toMatch(/\nWaiting: +nobody\n/);
  expect((await koncli("lease", "status", "taken", "-o", "yaml")).out).toContain("holder: ci-7");
});

test("a request that was applied by hand, without a label, waits like any other", async () => {
  const request = {
    apiVersion: "konductor.io/v1",
    kind: "LeaseRequest",
    metadata: { name: "by-hand", namespace: NAMESPACE },
    spec: { lease: "taken", holder: "alice" },
  };
  await kubectl.withObject(request, "create");
  expect((await koncli("lease", "status", "taken")).out).toMatch(/\nWaiting: +1: alice\n/);
});

test("an error is one sentence on stderr, and exit code 2", async () => {
  expect(await koncli("lease", "status", "nothing")).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringContaining('there is no klease "nothing" in namespace koncli; koncli lease list shows'),
  });
  expect(await koncli("lease", "list", "-o", "xml")).toMatchObject({
    code: 2,
    err: expect.stringContaining("allowed choices are text, wide, json, yaml, name"),
  });
  expect(await koncli("--context", "other", "lease", "list")).toMatchObject({
    code: 2,
    err: expect.stringContaining('there is no context "other"'),
  });
  expect(await koncli("lease", "list", "-n", "empty")).toMatchObject({
    code: 0,
    out: "No kleases found in namespace empty.\n",
  });
});

test("a shell completes commands, flags, their values, and kleases", async () => {
  const complete = async (...words: string[]) =>
    (await runKoncli(["__complete", ...words])).out.split("\n").filter((line) => line !== "");
  const there = ["--kubeconfig", cluster.kubeconfigPath];
  expect(await complete("le")).toEqual(["lease"]);
  expect(await complete("lease", "sta")).toEqual(["status"]);
  expect(await complete("lease", "list", "--all")).toEqual(["--all-namespaces"]);
  expect(await complete("lease", "list", "-o", "")).toEqual(["json", "name", "text", "wide", "yaml"]);
  expect(await complete("lease", "list", "--output=j")).toEqual(["--output=json"]);
  // bash passes `=` as a word of its own.
  expect(await complete("lease", "list", "--output", "=")).toHaveLength(5);
  expect(await complete("lease", "list", "--output", "=", "j")).toEqual(["json"]);
  expect(await complete("lease", "exec", "taken", "--", "ls", "--")).toEqual([]);
  expect(await complete("completion", "")).toEqual(["bash", "fish", "zsh"]);
  expect(await complete(...there, "-n", NAMESPACE, "lease", "status", "t")).toEqual(["taken"]);
  expect(await complete(...there, "lease", "status", "-n", "konc")).toContain(NAMESPACE);
  expect(await complete("--kubeconfig", "/nowhere", "lease", "status", "")).toEqual([]);
});
