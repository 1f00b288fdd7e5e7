/** An active/passive pair on two nodes. The active pod's node loses its power: how long it takes until the standby is active. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { EXPIRY_ALLOWANCE_MS, TERMINATION_ALLOWANCE_MS } from "../../src/lease/decision.ts";
import type { Hold, Lease } from "../../src/lease/types.ts";
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
/** A holder that cannot fence itself has its grace period after its deletion. */
const EXPIRED_WITHIN_MS = TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_SECONDS * 1_000 + TERMINATION_ALLOWANCE_MS;
/** The pod garbage collector looks every 20 s. */
const COLLECTED_WITHIN_MS = 20_000;
/** The environment's node. */
const OTHER_NODE = "process-node";
const LOST_NODE = "lost-node";
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";

let environment: Environment;
let lost: ProcessNode | undefined;
beforeAll(async () => {
  environment = await startProcessEnvironment({
    env: inject("cluster").env,
    programsDir: inject("cluster").programsDir,
    stream: process.stderr,
    flags: { "kube-controller-manager": ["--node-monitor-grace-period=25s"] },
  });
  const { cluster } = environment;
  lost = await startProcessNode({
    kubeconfigPath: cluster.kubeconfigPath,
    name: LOST_NODE,
    dir: join(cluster.dir, LOST_NODE),
    bundleDir: inject("cluster").programsDir,
    nodePath: process.execPath,
    logger: createLogger({ level: "error" }),
  });
});
afterAll(async () => {
  await lost?.stop();
  await environment?.stop();
});

interface Pair {
  stage: Stage;
  /** The hold of the active pod, whose node will be lost; the other pod stands by on the environment's node. */
  hold: Hold;
}

async function deployPairs(policies: readonly Lease["spec"]["handoverPolicy"][]): Promise<Pair[]> {
  const { kubectl } = environment;
  await kubectl("cordon", OTHER_NODE);
  try {
    const pairs = await Promise.all(
      policies.map(async (handoverPolicy) => {
        const stage = await setStage(environment, "pair", { ttl: "15s", handoverPolicy });
        await kubectl.withObject(deployment(stage), "create");
        return { stage, hold: await activeHold(stage) };
      }),
    );
    for (const { hold } of pairs) expect(hold.ref.node).toBe(LOST_NODE);
    return pairs;
  } finally {
    await kubectl("uncordon", OTHER_NODE);
  }
}

async function standBy({ stage }: Pair): Promise<void> {
  await environment.kubectl("-n", stage.namespace, "scale", "deployment/web", "--replicas=2");
  await waitForQueue(environment, stage, 1);
}

/** A Deployment of one pod that wants its node for itself. */
function deployment({ namespace, journal }: Stage): object {
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
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name: "web" },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  };
}

/** Resolves with when main of the standby began. */
async function failedOver({ stage, hold }: Pair): Promise<number> {
  const next = await activeHold(stage, hold);
  expect(next.token).toBeGreaterThan(hold.token);
  const [run] = await stage.runs(next.holder, 1);
  expect(overlaps(await stage.journal.runs())).toEqual([]);
  return run?.fromMs ?? Number.NaN;
}

test("the standby takes over when the lost node's pod has been silent for its ttl, or, AfterTermination, once the node is tainted out-of-service", {
  timeout: 300_000,
}, async () => {
  const pairs = await deployPairs(["AfterExpiry", "AfterTermination"]);
  await Promise.all(pairs.map(standBy));
  const [expiring, proving] = pairs;
  if (!expiring || !proving) throw new Error("a pair is missing");
  const lostMs = bootMs();
  await lost?.stop();
  const [tookOverMs] = await Promise.all([
    failedOver(expiring),
    proving.stage
      .lease("a condition that asks for somebody", ({ status }) => status.hold?.unreachable === true, 90_000)
      .then(() =>
        expectWithin(environment, {
          what: "from the loss of the active pod's node to the condition HolderUnreachable",
          measuredMs: bootMs() - lostMs,
          boundMs: EXPIRED_WITHIN_MS + HANDED_ON_WITHIN_MS,
        }),
      ),
  ]);
  expectWithin(environment, {
    what: "failover: from the loss of the active pod's node to the standby's main, AfterExpiry",
    measuredMs: tookOverMs - lostMs,
    boundMs: EXPIRED_WITHIN_MS + HANDED_ON_WITHIN_MS,
  });
  // By then the control plane counts the node as lost, too: only then its pods are collected.
  await environment.kubectl("wait", `node/${LOST_NODE}`, "--for=condition=Ready=Unknown", "--timeout=120s");
  await environment.kubectl("taint", "node", LOST_NODE, OUT_OF_SERVICE);
  const taintedMs = bootMs();
  expectWithin(environment, {
    what: "failover: from the out-of-service taint to the standby's main, AfterTermination",
    measuredMs: (await failedOver(proving)) - taintedMs,
    boundMs: COLLECTED_WITHIN_MS + HANDED_ON_WITHIN_MS,
  });
});
