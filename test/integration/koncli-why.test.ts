/** What `koncli lease why` reads of pods, Jobs, queue and holder on a real API server, and what it says if rights are missing. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { JOBS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import { parsePod } from "../../src/lease/pod.ts";
import { createLease, writeLeaseStatus } from "../../src/objects/lease-objects.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { aHold } from "../unit/lease/samples.ts";
import { koncli, writeKubeconfig } from "./koncli.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "koncli-why";
const cluster = inject("cluster");
const client = adminClient(cluster);
const kubectl = kubectlOf(cluster);
let dir: string;

const GATE = {
  name: "konductor-gate",
  image: "none",
  command: ["/usr/bin/node", "/konductor/gate.js"],
  args: ["gate"],
};
const TEMPLATE = {
  metadata: { labels: { "konductor.io/lease": "report" } },
  spec: { restartPolicy: "Never", initContainers: [GATE], containers: [{ name: "main", image: "none" }] },
};
const ago = (ms: number) => new Date(Date.now() - ms).toISOString().replace(/\.\d+Z$/, "Z");

/** A pod whose gate runs, as its kubelet would show it, with a request of its own unless `isUnheard`. */
async function waitingPod(name: string, { isUnheard = false, priority = 0 } = {}): Promise<void> {
  const { metadata, spec } = TEMPLATE;
  const { uid } = await client.create(
    PODS,
    { metadata: { ...metadata, namespace: NAMESPACE, name }, spec },
    parsePod,
  );
  const gate = {
    name: GATE.name,
    image: "none",
    imageID: "",
    ready: false,
    restartCount: 0,
    state: { running: { startedAt: ago(60_000) } },
  };
  const status = { phase: "Pending", initContainerStatuses: [gate] };
  await client.patch(
    PODS,
    { namespace: NAMESPACE, name },
    { status },
    { type: "merge", subresource: "status" },
  );
  if (isUnheard) return;
  await kubectl.withObject(
    {
      ...{ apiVersion: "konductor.io/v1", kind: "LeaseRequest", metadata: { namespace: NAMESPACE, name } },
      spec: {
        lease: "report",
        holder: name,
        holderRef: { kind: "Pod", name, uid },
        priority,
        requestedAt: ago(50_000).replace("Z", ".000000Z"),
      },
    },
    "create",
  );
}

const as = (kubeconfig: string, ...args: string[]) =>
  koncli(["--kubeconfig", kubeconfig, "-n", NAMESPACE, "lease", "why", ...args]);
const why = async (...args: string[]) => {
  const { code, out, err } = await as(cluster.kubeconfigPath, ...args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
};

/** The kubeconfig of a new account with these rights in the namespace. */
async function account(name: string, ...role: string[]): Promise<string> {
  await kubectl("-n", NAMESPACE, "create", "serviceaccount", name);
  await kubectl(
    "-n",
    NAMESPACE,
    "create",
    "rolebinding",
    name,
    ...role,
    `--serviceaccount=${NAMESPACE}:${name}`,
  );
  const token = (await kubectl("-n", NAMESPACE, "create", "token", name)).trim();
  return writeKubeconfig(kubectl, join(dir, name), { user: { token } });
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-koncli-"));
  await kubectl("create", "namespace", NAMESPACE);
  await waitFor({
    what: "the namespace's service account",
    withinMs: 20_000,
    holds: async () => (await kubectl("-n", NAMESPACE, "get", "serviceaccount", "default")) !== "",
  });
  await createLease(client, { namespace: NAMESPACE, name: "report", ttlMs: 600_000 });
  const holder = {
    metadata: { namespace: NAMESPACE, name: "run-1" },
    spec: { containers: [{ name: "main", image: "none" }] },
  };
  const { uid } = await client.create(PODS, holder, parsePod);
  const lease = await client.get(LEASES, { namespace: NAMESPACE, name: "report" }, parseLease);
  const nowMs = Date.now();
  const hold = aHold({
    ref: { kind: "Pod", name: "run-1", uid, node: "node-1", selfFencing: true },
    ...{ acquiredMs: nowMs - 30_000, expiresMs: nowMs + 590_000, ttlMs: 600_000 },
  });
  await writeLeaseStatus(client, lease, { ...lease.status, hold, lastToken: hold.token, waiters: 2 }, nowMs);
  await waitingPod("run-2");
  await waitingPod("run-3", { priority: 5 });
  await waitingPod("run-4", { isUnheard: true });
});
afterAll(async () => {
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await client.close();
  await rm(dir, { recursive: true, force: true });
});

test("a pod that waits: place, holder, and what ends the hold", async () => {
  const said = await why("run-2");
  expect(said).toMatch(
    /^Pod run-2 has waited for klease report since \S+ \(\d+s ago\), as number 2 of 2 in the queue, behind run-3 \(by priority: run-3 5; its own is 0\)\. Pod run-1 on node node-1 has held the klease since \S+ \(\d+s ago\) under token 41, and renewed last \d+s ago\. /,
  );
  expect(said).toContain(" its ttl of 10m is over at ");
  expect(said).toMatch(
    /kubectl delete pod run-1 -n koncli-why; an admin can run koncli lease release report --force --token 41 -n koncli-why\.\n$/,
  );
  expect(await why("pod/run-3")).toContain("as the next of 2 in the queue");
});

test("as JSON and by a template", async () => {
  expect(JSON.parse(await why("po/run-2", "-o", "json"))).toMatchObject({
    ...{ kind: "Pod", namespace: NAMESPACE, name: "run-2", state: "Waiting", lease: "report" },
    ...{ position: 2, waiters: 2, ahead: ["run-3"] },
    holder: { kind: "Pod", name: "run-1", node: "node-1", token: 41 },
    message: expect.stringMatching(/^Pod run-2 has waited/),
  });
  expect(await why("run-2", "-o", "jsonpath={.position}")).toBe("2");
});

test("a pod that konductor has not heard", async () => {
  expect(await why("run-4")).toMatch(
    /^Pod run-4 should have been in the queue of klease report since .* konductor does not answer it\. .* Pod run-1 on/,
  );
});

test("a pod without the label", async () => {
  expect(await why("run-1")).toMatch(/^Pod run-1 has no label konductor\.io\/lease/);
});

test("a Job: what keeps its pods, or why it has none", async () => {
  const job = (name: string, change: object = {}) =>
    client.create(JOBS, {
      metadata: { namespace: NAMESPACE, name },
      spec: { template: TEMPLATE, ...change },
    });
  await job("nightly");
  await waitFor({
    what: "the scheduler's word on the Job's pod",
    withinMs: 20_000,
    holds: async () => (await why("job/nightly")).includes("It has no node yet: "),
  });
  expect(await why("nightly")).toMatch(
    /^Pod nightly-\S+ does not wait for klease report at the moment: its gate has not asked yet\. It has no node yet: .*node/,
  );
  await job("stopped", { suspend: true });
  expect(await why("job/stopped")).toMatch(
    /^Job stopped does not wait for klease report: somebody else than konductor has suspended it/,
  );
  // What a Job's controller says when its pods are refused.
  const impossible = { ...TEMPLATE, spec: { ...TEMPLATE.spec, priorityClassName: "nothing" } };
  await job("refused", { template: impossible });
  await waitFor({
    what: "the Job's event",
    withinMs: 20_000,
    holds: async () => (await why("jobs/refused")).includes("no PriorityClass with name nothing was found"),
  });
});

test("a user who may see kleases, but no pods, learns the place from the request", async () => {
  const path = await account("viewer", "--clusterrole=konductor-view");
  const { code, out } = await as(path, "run-2");
  expect(code).toBe(0);
  expect(out).toMatch(
    /^What run-2 does is not known: you may not get pods in koncli-why, and you may not get jobs in koncli-why\. Pod run-2 has waited .* as number 2 of 2/,
  );
  expect(out).toContain("Whether pod run-1 still runs is not known: you may not get pods in koncli-why.");
  expect((await as(path, "run-1")).out).toMatch(
    /No LeaseRequest in koncli-why is of a pod or Job of this name/,
  );
});

test("a user who may see pods, but no kleases, is told so", async () => {
  await kubectl("-n", NAMESPACE, "create", "role", "pods", "--verb=get", "--resource=pods");
  const { code, out } = await as(await account("pods", "--role=pods"), "run-2");
  expect({ code, out }).toEqual({
    code: 0,
    out:
      "Which place pod run-2 has in the queue of klease report is not known: you may not list LeaseRequests in koncli-why. " +
      "Who holds klease report is not known: you may not get Leases in koncli-why.\n",
  });
});

test("what does not exist, or is neither a pod nor a Job, is refused", async () => {
  for (const [name, sentence] of [
    [
      "nobody",
      'there is neither a pod nor a Job "nobody" in namespace koncli-why; kubectl get pods,jobs -n koncli-why shows what there is',
    ],
    ["job/run-2", 'there is no Job "run-2" in namespace'],
    ["deployment/web", "the name of a pod or a Job is allowed"],
    ["pod/", "the name of a pod or a Job is allowed"],
  ] as const) {
    expect(await as(cluster.kubeconfigPath, name)).toEqual({
      code: 2,
      out: "",
      err: expect.stringContaining(sentence),
    });
  }
});

test("a shell completes pods and Jobs that have the label", async () => {
  const complete = ["__complete", "--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "lease"];
  expect((await koncli([...complete, "wh"])).out).toBe("why\n");
  expect((await koncli([...complete, "why", "run"])).out).toBe("run-2\nrun-3\nrun-4\n");
  const labelled = {
    metadata: { namespace: NAMESPACE, name: "weekly", labels: TEMPLATE.metadata.labels },
    spec: { suspend: true, template: TEMPLATE },
  };
  await client.create(JOBS, labelled);
  expect((await koncli([...complete, "why", "job/w"])).out).toBe("job/weekly\n");
});
