/** An active/passive pair on two nodes, of which the active one's loses its power: how long it takes until the standby is active. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { EXPIRY_ALLOWANCE_MS, TERMINATION_ALLOWANCE_MS } from "../../src/lease/decision.ts";
import type { Hold } from "../../src/lease/types.ts";
import { createLogger } from "../../src/shared/log.ts";
import { type ProcessNode, startProcessNode } from "../cluster/process-node/process-node.ts";
import { bootMs } from "../e2e/boot-time.ts";
import type { Environment } from "../e2e/environment.ts";
import { expectWithin } from "../e2e/figures.ts";
import { activeHold, HANDED_ON_WITHIN_MS } from "../e2e/handover.ts";
import { overlaps } from "../e2e/journal.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";
import { type Stage, setStage } from "../e2e/stage.ts";
import { waitForQueue } from "../e2e/turns.ts";
import { podTemplate } from "../e2e/workload.ts";

const TTL_MS = 15_000;
const GRACE_SECONDS = 2;
/** A holder that cannot fence itself is given its grace period after it was told to end. */
const EXPIRED_WITHIN_MS = TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_SECONDS * 1_000 + TERMINATION_ALLOWANCE_MS;
/** The pod garbage collector looks every 20 s. */
const COLLECTED_WITHIN_MS = 20_000;
/** The environment's own. */
const OTHER_NODE = "process-node";
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";

let environment: Environment;
let lost: ProcessNode | undefined;
beforeAll(async () => {
  environment = await startProcessEnvironment({ env: inject("cluster").env, stream: process.stderr });
});
afterAll(async () => {
  await lost?.stop();
  await environment?.stop();
});

/** Resolves with the hold of an active pod on a node of its own, when the other pod stands by on the environment's. */
async function deployPair(stage: Stage, nodeName: string): Promise<Hold> {
  const { kubectl, cluster } = environment;
  const { namespace, journal } = stage;
  lost = await startProcessNode({
    kubeconfigPath: cluster.kubeconfigPath,
    name: nodeName,
    dir: join(cluster.dir, nodeName),
    bundleDir: join(import.meta.dirname, "../../dist"),
    nodePath: process.execPath,
    logger: createLogger({ level: "error" }),
  });
  const labels = { app: "web" };
  const { metadata, spec } = podTemplate({
    namespace,
    name: "web",
    lease: "pair",
    journal,
    restartPolicy: "Always",
    graceSeconds: GRACE_SECONDS,
  });
  const apart = [{ labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" }];
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: apart } };
  const template = {
    metadata: { ...metadata, labels: { ...metadata.labels, ...labels } },
    spec: { ...spec, affinity },
  };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name: "web" },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  };
  await kubectl("cordon", OTHER_NODE);
  try {
    await kubectl.withObject(deployment, "create");
    const hold = await activeHold(stage);
    expect(hold.ref.node ?? (await stage.holds(hold.holder)).ref.node).toBe(nodeName);
    return hold;
  } finally {
    await kubectl("uncordon", OTHER_NODE);
    await kubectl("-n", namespace, "scale", "deployment/web", "--replicas=2");
    await waitForQueue(environment, stage, 1);
  }
}

/** When main of the standby began, after the one of `past`. */
async function failedOver(stage: Stage, past: Hold): Promise<number> {
  const next = await activeHold(stage, past);
  expect(next.token).toBeGreaterThan(past.token);
  const [run] = await stage.runs(next.holder, 1);
  expect(overlaps(await stage.journal.runs())).toEqual([]);
  return run?.fromMs ?? Number.NaN;
}

test("AfterExpiry: the standby takes over when the lost node's pod has been silent for its ttl", {
  timeout: 180_000,
}, async () => {
  const stage = await setStage(environment, "pair", { ttl: "15s", handoverPolicy: "AfterExpiry" });
  const hold = await deployPair(stage, "lost-1");
  const lostMs = bootMs();
  await lost?.stop();
  expectWithin(environment, {
    what: "failover: from the loss of the active pod's node to the standby's main, AfterExpiry",
    measuredMs: (await failedOver(stage, hold)) - lostMs,
    boundMs: EXPIRED_WITHIN_MS + HANDED_ON_WITHIN_MS,
  });
  await environment.kubectl("-n", stage.namespace, "delete", "deployment", "web", "--wait=false");
});

test("AfterTermination: a condition asks for somebody, and the standby takes over once the node is tainted out-of-service", {
  timeout: 300_000,
}, async () => {
  const stage = await setStage(environment, "pair", { ttl: "15s", handoverPolicy: "AfterTermination" });
  const hold = await deployPair(stage, "lost-2");
  const lostMs = bootMs();
  await lost?.stop();
  await stage.lease(
    "a condition that asks for somebody",
    ({ status }) => status.hold?.unreachable === true,
    90_000,
  );
  expectWithin(environment, {
    what: "from the loss of the active pod's node to the condition HolderUnreachable",
    measuredMs: bootMs() - lostMs,
    boundMs: EXPIRED_WITHIN_MS + HANDED_ON_WITHIN_MS,
  });
  // By then the control plane counts the node as gone, too: only then its pods are collected.
  await environment.kubectl("wait", "node/lost-2", "--for=condition=Ready=Unknown", "--timeout=120s");
  await environment.kubectl("taint", "node", "lost-2", OUT_OF_SERVICE);
  const taintedMs = bootMs();
  expectWithin(environment, {
    what: "failover: from the out-of-service taint to the standby's main, AfterTermination",
    measuredMs: (await failedOver(stage, hold)) - taintedMs,
    boundMs: COLLECTED_WITHIN_MS + HANDED_ON_WITHIN_MS,
  });
  await environment.kubectl("-n", stage.namespace, "delete", "deployment", "web", "--wait=false");
});
