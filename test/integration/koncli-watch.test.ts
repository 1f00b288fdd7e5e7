/** koncli follows kleases as they change: by one list and one watch, and continues after the connection broke. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { LEASES } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import type { LeaseStatus } from "../../src/lease/types.ts";
import { createLease, writeLeaseStatus } from "../../src/objects/lease-objects.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { aHold } from "../unit/lease/samples.ts";
import { koncli, writeKubeconfig } from "./koncli.ts";
import { startTcpProxy } from "./kube/tcp-proxy.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "koncli-watch";
const cluster = inject("cluster");
const client = adminClient(cluster);
const kubectl = kubectlOf(cluster);
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-koncli-"));
  const crds = join(import.meta.dirname, "../../deploy/crds");
  await kubectl("apply", "-f", crds);
  await kubectl("wait", "--for=condition=Established", "-f", crds);
  await kubectl("create", "namespace", NAMESPACE);
  await waitFor({
    what: "the new resources to be served",
    withinMs: 20_000,
    holds: async () => (await kubectl("-n", NAMESPACE, "get", "klease,klr", "-o", "name")) === "",
  });
});
afterAll(async () => {
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await client.close();
  await rm(dir, { recursive: true, force: true });
});

const newLease = (name: string) => createLease(client, { namespace: NAMESPACE, name, ttlMs: 60_000 });

async function write(name: string, change: Partial<LeaseStatus>): Promise<void> {
  const lease = await client.get(LEASES, { namespace: NAMESPACE, name }, parseLease);
  await writeLeaseStatus(client, lease, { ...lease.status, ...change }, Date.now());
}

/** koncli's watch in this process, until `end`. */
function watch(kubeconfig: string, ...args: string[]) {
  const interrupt = new AbortController();
  const written = { out: "", err: "" };
  const ended = koncli(["--kubeconfig", kubeconfig, "-n", NAMESPACE, "lease", "watch", ...args], {
    signal: interrupt.signal,
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
  });
  return {
    written,
    lines: () => written.out.split("\n").slice(0, -1),
    says: (what: string | RegExp) =>
      waitFor({
        what: `koncli to say ${what}, not just ${written.out}`,
        withinMs: 30_000,
        everyMs: 20,
        holds: async () => (typeof what === "string" ? written.out.includes(what) : what.test(written.out)),
      }),
    async end() {
      interrupt.abort();
      return (await ended).code;
    },
  };
}

test("prints one line for each change, also for changes while the connection was broken, and each only once", async () => {
  const proxy = await startTcpProxy(cluster.apiServerUrl);
  const kubeconfig = await writeKubeconfig(kubectl, join(dir, "proxy"), { change: { server: proxy.url } });
  await newLease("other");
  await newLease("report");
  const watching = watch(kubeconfig, "report", "-v");
  await watching.says("0 waiting");
  const hold = aHold({ token: 7, holder: "ci-7", confirmed: false, renewals: 0 });
  await write("report", { hold, lastToken: 7 });
  await watching.says("granted to ci-7, token 7");
  await write("report", { hold: { ...hold, confirmed: true, renewals: 1 }, waiters: 2 });
  await watching.says("2 waiting");
  await write("other", { waiters: 5 });

  proxy.cut();
  const past = {
    holder: "ci-7",
    acquiredMs: 0,
    endedMs: 1_000,
    reason: "Forced",
    by: "alice",
    token: 7,
  } as const;
  const lease = await client.get(LEASES, { namespace: NAMESPACE, name: "report" }, parseLease);
  const { hold: _, ...rest } = lease.status;
  await writeLeaseStatus(client, lease, { ...rest, history: [past] }, Date.now());
  await waitFor({
    what: "koncli to notice",
    withinMs: 30_000,
    holds: async () => watching.written.err.includes("warning: list or watch failed"),
  });
  proxy.mend();
  await watching.says("the hold of ci-7 (token 7) ended: Forced by alice");
  await kubectl("-n", NAMESPACE, "delete", "klease", "report");
  await watching.says(/ deleted\n/);
  expect(await watching.end()).toBe(0);

  const what = watching.lines().map((line) => line.split("  ").slice(1).join(", "));
  expect(what).toEqual([
    "report, Available, -, -, 0 waiting",
    "report, Held, ci-7, 7, granted to ci-7, token 7",
    expect.stringMatching(/^report, Held, ci-7, 7, renewed until \d/),
    "report, Held, ci-7, 7, confirmed",
    "report, Held, ci-7, 7, 2 waiting",
    "report, Available, -, -, the hold of ci-7 (token 7) ended: Forced by alice",
    "report, Available, -, -, deleted",
  ]);
  for (const line of watching.lines()) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+Z {2}report {2}/);
  // koncli checks once whether the klease exists, lists once and watches twice: nothing is polled.
  const calls = watching.written.err.split("\n").filter((line) => line.includes(": HTTP 200"));
  expect(calls.filter((call) => call.includes("watch=true"))).toHaveLength(2);
  expect(calls).toHaveLength(4);
  await proxy.close();
});

test("other formats print the objects: one per line, or one per document", async () => {
  await newLease("shown");
  const all = {
    json: watch(cluster.kubeconfigPath, "shown", "-o", "json"),
    yaml: watch(cluster.kubeconfigPath, "shown", "-o", "yaml"),
    name: watch(cluster.kubeconfigPath, "-o", "name"),
  };
  await all.json.says("\n");
  await all.yaml.says("name: shown");
  await all.name.says("lease.konductor.io/shown\n");
  await write("shown", { waiters: 3 });
  for (const watching of [all.json, all.yaml]) await watching.says(/waiters"?: ?3/);
  await all.name.says(/shown\n(.*\n)*.*shown\n/);
  for (const watching of Object.values(all)) expect(await watching.end()).toBe(0);
  const shown = [
    { kind: "Lease", metadata: { name: "shown" } },
    { kind: "Lease", status: { waiters: 3 } },
  ];
  expect(all.json.lines().map((line) => JSON.parse(line))).toMatchObject(shown);
  expect(parseAllDocuments(all.yaml.written.out).map((document) => document.toJS())).toMatchObject(shown);
});

test("a klease that does not exist is reported at once", async () => {
  const args = ["--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "lease", "watch", "nothing"];
  expect(await koncli(args)).toMatchObject({ code: 2, err: expect.stringContaining('no klease "nothing"') });
});

test.each(["SIGINT", "SIGTERM"] as const)("%s ends it, with 0", async (signal) => {
  await newLease(`until-${signal.toLowerCase()}`);
  const koncliPath = join(import.meta.dirname, "../../src/bin/koncli.ts");
  const args = [koncliPath, "--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "lease", "watch"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  child.kill(signal);
  expect(await closed).toEqual([0, null]);
});
