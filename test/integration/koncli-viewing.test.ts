/** What koncli shows of holders, queues and histories, in every format, and what it creates and deletes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { parse } from "yaml";
import { LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import { formatForgotten } from "../../src/lease/done-annotations.ts";
import { formatPause } from "../../src/lease/pause.ts";
import { parsePod } from "../../src/lease/pod.ts";
import type { Hold, LeaseStatus } from "../../src/lease/types.ts";
import { createLease, writeLeaseStatus } from "../../src/objects/lease-objects.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { list, record, textMap } from "../../src/shared/json.ts";
import { FORGET_ANNOTATION, PAUSE_ANNOTATION } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { aHold } from "../unit/lease/samples.ts";
import { koncli as runKoncli, writeKubeconfig } from "./koncli.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "koncli-viewing";
const DEPLOY = join(import.meta.dirname, "../../deploy");
const cluster = inject("cluster");
const client = adminClient(cluster);
const kubectl = kubectlOf(cluster);
let dir: string;
let podUid: string;

const koncli = (...args: string[]) =>
  runKoncli(["--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "lease", ...args]);
const out = async (...args: string[]) => {
  const { code, out: printed, err } = await koncli(...args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return printed;
};

async function writeStatus(name: string, change: Partial<LeaseStatus>): Promise<void> {
  const lease = await client.get(LEASES, { namespace: NAMESPACE, name }, parseLease);
  await writeLeaseStatus(client, lease, { ...lease.status, ...change }, Date.now());
}

/** A hold of pod web-1 that began 30 s ago. */
const hold = (change: Partial<Hold>) => {
  const nowMs = Date.now();
  return aHold({ holder: "web-1", acquiredMs: nowMs - 30_000, expiresMs: nowMs + 300_000, ...change });
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-koncli-"));
  for (const path of ["crds", "user-roles.yaml"]) await kubectl("apply", "-f", join(DEPLOY, path));
  await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
  await kubectl("create", "namespace", NAMESPACE);
  await waitFor({
    what: "the new resources and the namespace's service account",
    withinMs: 20_000,
    holds: async () =>
      (await kubectl("-n", NAMESPACE, "get", "klease,klr", "-o", "name")) === "" &&
      (await kubectl("-n", NAMESPACE, "get", "serviceaccount", "default")) !== "",
  });
  const pod = {
    metadata: { namespace: NAMESPACE, name: "web-1" },
    spec: { containers: [{ name: "main", image: "none" }] },
  };
  podUid = (await client.create(PODS, pod, parsePod)).uid;
  for (const name of ["report", "free"]) {
    await createLease(client, { namespace: NAMESPACE, name, ttlMs: 600_000 });
  }
  const nowMs = Date.now();
  await writeStatus("report", {
    hold: hold({ ref: { kind: "Pod", name: "web-1", uid: podUid, node: "node-1" } }),
    lastToken: 41,
    history: [
      past({ holder: "web-0", endedMs: nowMs - 60_000, reason: "Forced", by: "alice", token: 40 }),
      past({ holder: "evil\n\u001b[2J", endedMs: nowMs - 600_000, reason: "Released", token: 39 }),
    ],
  });
  await ask("a-late", "ci-1", { requestedAt: microTime(nowMs - 10_000) });
  await ask("b-early", "ci-2", { requestedAt: microTime(nowMs - 300_000), requestedBy: "bob" });
  await ask("first", "ci-3", { requestedAt: microTime(nowMs - 5_000), priority: 7 });
  await ask("other", "ci-4", { lease: "free", requestedAt: microTime(nowMs) });
});
afterAll(async () => {
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await client.close();
  await rm(dir, { recursive: true, force: true });
});

const past = (change: Omit<LeaseStatus["history"][number], "acquiredMs">) => ({
  acquiredMs: change.endedMs - 45_000,
  ...change,
});
const microTime = (ms: number) => new Date(ms).toISOString().replace("Z", "000Z");

async function ask(name: string, holder: string, spec: object): Promise<void> {
  const metadata = { namespace: NAMESPACE, name };
  const request = { apiVersion: "konductor.io/v1", kind: "LeaseRequest", metadata };
  await kubectl.withObject({ ...request, spec: { lease: "report", holder, ...spec } }, "create");
}

const namesOf = (printed: unknown) =>
  list(record(printed)["items"]).map((item) => record(record(item)["metadata"])["name"]);
const cells = (table: string) =>
  table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {3,}/));

test("status shows whether the holder's pod still runs, and who is next", async () => {
  expect(await out("status", "report")).toMatch(/\nHolder: +web-1 \(pod Pending\)\n/);
  expect(await out("status", "report")).toMatch(/\nWaiting: +3: ci-3, ci-2, ci-1\n/);
  expect(await out("status", "report", "-o", "wide")).toMatch(
    /^NAME.* NODE .*\nreport +Held +web-1 .* node-1 /,
  );
  expect(await out("status", "report", "-o", "name")).toBe("lease.konductor.io/report\n");
  expect(JSON.parse(await out("status", "report", "-o", "json"))).toMatchObject({
    kind: "Lease",
    status: { holder: "web-1", fencingToken: 41 },
  });
  await writeStatus("free", {
    hold: hold({ ref: { kind: "Pod", name: "web-1", uid: "another" } }),
    lastToken: 41,
  });
  expect(await out("status", "free")).toMatch(/\nHolder: +web-1 \(pod is gone\)\n/);
  await writeStatus("free", {
    hold: hold({ ref: { kind: "Pod", name: "nobody", uid: podUid } }),
    lastToken: 41,
  });
  expect(await out("status", "free")).toMatch(/\nHolder: +web-1 \(pod is gone\)\n/);
  const pods = ["a", "b", "c", "d"].map((name) => ({
    kind: "Pod" as const,
    name,
    uid: name,
    releasing: false,
  }));
  const ref = { kind: "Job", name: "nightly", uid: "job" } as const;
  await writeStatus("free", { hold: hold({ holder: "nightly", ref, pods, token: 42 }), lastToken: 42 });
  expect(await out("status", "free")).toMatch(/\nHolder: +nightly \(Job; pods: a, b, c, and 1 more\)\n/);
});

test("a user who may see kleases, but no pods, sees the status, and is told why the pod is not in it", async () => {
  await kubectl("-n", NAMESPACE, "create", "serviceaccount", "viewer");
  const binding = ["create", "rolebinding", "viewer", "--clusterrole=konductor-view"];
  await kubectl("-n", NAMESPACE, ...binding, `--serviceaccount=${NAMESPACE}:viewer`);
  const token = (await kubectl("-n", NAMESPACE, "create", "token", "viewer")).trim();
  const path = await writeKubeconfig(kubectl, join(dir, "viewer"), { user: { token } });
  const viewer = ["--kubeconfig", path, "-n", NAMESPACE, "-v", "lease", "status", "report"];
  const shown = await runKoncli(viewer);
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(/\nHolder: +web-1 \(pod not shown: you may not get pods\)\n/);
  // Option -v logs every call on a line of its own, with its path and status.
  const calls = shown.err.trimEnd().split("\n");
  expect(calls).toHaveLength(3);
  for (const call of calls) expect(call).toMatch(/^\d{4}-\S+Z GET \/api\S+: HTTP (200|403)$/);
  expect(shown.err).not.toContain(token);
});

test("ages follow the server's clock, whatever the machine's clock shows", async () => {
  for (const hours of [-1, 1]) {
    const clock = { ...systemClock(), nowMs: () => Date.now() + hours * 3_600_000 };
    const args = ["--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "lease"];
    const status = await runKoncli([...args, "status", "report"], { clock });
    expect(status.out).toMatch(/\nAcquired: .* \(([3-9]\d|1[01]\d)s ago\)\n/);
    expect(status.out).toMatch(/\nExpires: .* \(in [2-5]m\)\n/);
    expect((await runKoncli([...args, "queue", "report"], { clock })).out).toMatch(/ci-2 .* [5-9]m /);
    expect((await runKoncli([...args, "list"], { clock })).out).toMatch(/\nreport .* \d+s\n/);
  }
});

test("queue lists the waiters of this klease, in the order in which they are served", async () => {
  const [headings, ...rows] = cells(await out("queue", "report"));
  expect(headings).toEqual(["POSITION", "HOLDER", "KIND", "PRIORITY", "WAITING FOR", "TURN", "REQUESTED BY"]);
  expect(rows.map((row) => row.slice(0, 4))).toEqual([
    ["1", "ci-3", "Client", "7"],
    ["2", "ci-2", "Client", "0"],
    ["3", "ci-1", "Client", "0"],
  ]);
  expect(rows[1]?.slice(4)).toEqual([expect.stringMatching(/^[5-9]m$/), "unknown", "bob"]);
  expect(namesOf(JSON.parse(await out("queue", "report", "-o", "json")))).toEqual([
    "first",
    "b-early",
    "a-late",
  ]);
  expect(namesOf(parse(await out("queue", "report", "-o", "yaml")))).toEqual(["first", "b-early", "a-late"]);
  expect(await out("queue", "report", "-o", "name")).toMatch(/^leaserequest.konductor.io\/first\n/);
  await out("create", "quiet", "--ttl", "1m");
  expect(await out("queue", "quiet")).toBe("Nobody waits for klease quiet.\n");
});

test("top lists kleases by the longest wait, and takes kubectl's flags", async () => {
  const [headings, first, second] = cells(await out("top"));
  const names = ["NAMESPACE", "NAME", "HOLDER", "HELD", "WAITERS", "LONGEST WAIT", "LAST RENEWAL"];
  expect(headings).toEqual(names);
  expect(first?.slice(0, 3)).toEqual([NAMESPACE, "report", "web-1"]);
  expect(first?.slice(4, 6)).toEqual(["3", expect.stringMatching(/^[5-9]m$/)]);
  expect(second?.slice(0, 2)).toEqual([NAMESPACE, "free"]);
  const plain = ["--no-headers", "--use-protocol-buffers=true"];
  const alone = cells(await out("top", "report", "--sort-by", "waiters", ...plain));
  // Ages may have changed meanwhile.
  expect(alone.map(([namespace, name, holder, , waiters]) => [namespace, name, holder, waiters])).toEqual([
    [NAMESPACE, "report", "web-1", "3"],
  ]);
  expect(
    await out("top", "-A", "--field-selector", "metadata.name=report", "--sort-by=held", ...plain),
  ).toMatch(new RegExp(`^${NAMESPACE} +report `, "m"));
  expect(await out("top", "-l", "nothing=here")).toBe(`No kleases found in namespace ${NAMESPACE}.\n`);
  expect(JSON.parse(await out("top", "-o", "json"))[0]).toMatchObject({
    ...{ namespace: NAMESPACE, name: "report", holder: "web-1", waiters: 3 },
    waitingSince: expect.stringMatching(/^\d{4}-/),
  });
  expect(await koncli("top", "--sort-by", "cpu")).toMatchObject({
    ...{ code: 2, out: "" },
    err: expect.stringContaining("allowed choices are wait, waiters, held"),
  });
});

test("history lists the holds that are over, each on one line", async () => {
  const [headings, ...rows] = cells(await out("history", "report"));
  expect(headings).toEqual(["HOLDER", "ACQUIRED", "HELD FOR", "ENDED", "REASON", "BY", "TOKEN"]);
  expect(rows).toEqual([
    [
      "web-0",
      expect.stringMatching(/^\d{4}-.*Z$/),
      "45s",
      expect.stringMatching(/ ago$/),
      "Forced",
      "alice",
      "40",
    ],
    expect.arrayContaining([expect.stringMatching(/^evil +\[2J$/), "Released", "39"]),
  ]);
  for (const read of [
    JSON.parse(await out("history", "report", "-o", "json")),
    parse(await out("history", "report", "-o", "yaml")),
  ]) {
    expect(read).toMatchObject([{ holder: "web-0", by: "alice" }, { token: 39 }]);
  }
  expect(await out("history", "free")).toBe("No hold of klease free is over yet.\n");
});

test("list accepts a selector, and refuses an invalid one", async () => {
  await kubectl("-n", NAMESPACE, "label", "klease", "report", "team=a");
  expect(await out("list", "-l", "team=a", "-o", "name")).toBe("lease.konductor.io/report\n");
  expect(await koncli("list", "-l", "team=(")).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringMatching(/^error: cannot list klease in .*\n$/),
  });
});

test("create creates the klease as asked, and delete names the holder that loses it", async () => {
  const flags = [
    "--ttl",
    "90s",
    "--priority=-3",
    "--renewable=false",
    "--handover-policy",
    "AfterTermination",
  ];
  expect(await out("create", "night", ...flags)).toBe("klease night created\n");
  const { spec } = await client.get(LEASES, { namespace: NAMESPACE, name: "night" }, parseLease);
  expect(spec).toEqual({
    ttlMs: 90_000,
    priority: -3,
    renewable: false,
    handoverPolicy: "AfterTermination",
  });
  expect(await koncli("create", "night", "--ttl", "1m")).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringMatching(/^error: cannot create klease koncli-viewing\/night: .*already exists.*\n$/),
  });
  expect(await out("create", "named", "--ttl", "1m", "-o", "name")).toBe("lease.konductor.io/named\n");
  expect(parse(await out("create", "shown", "--ttl", "1m", "-o", "yaml"))).toMatchObject({ kind: "Lease" });

  await writeStatus("night", { hold: hold({ token: 1 }), lastToken: 1 });
  expect(await koncli("delete", "night")).toEqual({
    code: 0,
    out: "klease night deleted\n",
    err: expect.stringMatching(/^warning: web-1 held klease night and loses it/),
  });
  expect(await out("delete", "named", "-o", "name")).toBe("lease.konductor.io/named\n");
  expect(await koncli("delete", "night")).toMatchObject({
    code: 2,
    err: expect.stringContaining('there is no klease "night"'),
  });
});

test("done shows no work that is forgotten, in any format, also before konductor has taken that over", async () => {
  await out("create", "schema", "--ttl", "1m");
  const work = { holder: "web-1", timeMs: Date.parse("2026-01-01T00:00:00Z") };
  const done = [
    { ...work, key: "v42", token: 7 },
    { ...work, key: "v41", token: 6 },
  ];
  await writeStatus("schema", { lastToken: 7, done });
  const by = await kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}");
  const forget = `${FORGET_ANNOTATION}=${formatForgotten({ key: "v41", token: 6, by })}`;
  await kubectl("-n", NAMESPACE, "annotate", "klease", "schema", forget);
  expect(await out("done", "schema")).not.toContain("v41");
  expect(JSON.parse(await out("done", "schema", "-o", "json"))).toEqual([
    { key: "v42", holder: "web-1", token: 7, time: "2026-01-01T00:00:00.000Z" },
  ]);
});

/** Nobody's webhook renews or removes the annotation here, as while konductor is down. */
async function namesNobodyOfAnEarlierPause(name: string): Promise<void> {
  const annotation = async () =>
    textMap(record(JSON.parse(await out("status", name, "-o", "json"))["metadata"])["annotations"])[
      PAUSE_ANNOTATION
    ];
  await out("resume", name);
  const by = await kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}");
  const stamp = formatPause({ by, sinceMs: Date.parse("2026-01-01T00:00:00Z") });
  const change = { metadata: { annotations: { [PAUSE_ANNOTATION]: stamp } }, spec: { paused: true } };
  const patch = (body: object) =>
    kubectl("-n", NAMESPACE, "patch", "klease", name, "--type=merge", `--patch=${JSON.stringify(body)}`);
  await patch(change);
  await out("pause", name, "--reason", "the same pause");
  expect(await annotation()).toBe(stamp);
  await out("resume", name);
  expect(await annotation()).toBeUndefined();
  await patch(change);
  await patch({ spec: { paused: false } });
  await out("pause", name);
  expect(await annotation()).toBeUndefined();
}

test("pause and resume change the klease, say what follows, and queue says why nobody is granted it", async () => {
  await out("create", "maintained", "--ttl", "1m");
  expect(await out("pause", "maintained", "--reason", "new disks")).toBe(
    "klease maintained is paused: nobody new is granted it\n",
  );
  expect(await out("queue", "maintained")).toContain(
    'Klease maintained is paused ("new disks"); to end that: koncli lease resume maintained.\n',
  );
  expect(await out("list")).toMatch(/\nmaintained +Available .* true +\d+s\n/);
  expect(await out("pause", "maintained", "-o", "name")).toBe("lease.konductor.io/maintained\n");
  expect(await out("resume", "maintained")).toBe("klease maintained is not paused any more\n");
  expect(JSON.parse(await out("status", "maintained", "-o", "json"))).toMatchObject({
    spec: expect.not.objectContaining({ paused: expect.anything(), pauseReason: expect.anything() }),
  });
  await out("create", "prepared", "--ttl", "1m", "--paused");
  await namesNobodyOfAnEarlierPause("prepared");
  expect(await out("queue", "prepared")).toContain("Klease prepared is paused;");
  expect(await koncli("pause", "maintained", "--reason", "a\nb")).toMatchObject({
    code: 2,
    err: expect.stringContaining("one line of 1 to 256 characters is allowed"),
  });
  expect(await koncli("pause", "nothing")).toMatchObject({
    code: 2,
    err: expect.stringContaining('there is no klease "nothing"'),
  });
});
