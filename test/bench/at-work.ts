/**
 * konductor at work: 50 holders renew and 200 gates wait, each a process of its own, while labelled pods are admitted one after the other. Whatever
 * is done to konductor meanwhile must cost no holder, gate or admission anything.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PODS } from "../../src/kube/resources.ts";
import { waitingInOrder } from "../../src/lease/order.ts";
import { list, record } from "../../src/shared/json.ts";
import { GATE_CONTAINER, LEASE_LABEL } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import { readLease, readRequests, waitForLease } from "../e2e/observe.ts";
import {
  type ProcessEnvironment,
  type ProcessEnvironmentOptions,
  startProcessEnvironment,
} from "../e2e/process-environment.ts";

const HOLDERS = 50;
const GATES = 200;
/** Short, so that a keeper that cannot renew during the disturbance is silent for much of its ttl. */
const TTL = "30s";
const STARTED_AT_ONCE = 10;
const ADMITTED_EVERY_MS = 100;
const SET_UP_WITHIN_MS = 300_000;

const nameOf = (what: string, index: number) => `${what}-${String(index).padStart(3, "0")}`;
const podOf = (namespace: string, name: string, lease: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace, name, labels: { [LEASE_LABEL]: lease }, annotations: { "konductor.io/ttl": TTL } },
  spec: {
    restartPolicy: "Never",
    // Bypasses the scheduler, which enforces the number of pods that a kubelet takes.
    nodeName: "process-node",
    automountServiceAccountToken: false,
    containers: [{ name: "main", image: "none", command: ["sleep", "3600"] }],
  },
});

type Stage = Pick<ProcessEnvironment, "client"> & { namespace: string };

async function startPods({ client, namespace }: Stage): Promise<void> {
  const pods = [
    ...Array.from({ length: HOLDERS }, (_, index) =>
      podOf(namespace, nameOf("holder", index), nameOf("lease", index)),
    ),
    ...Array.from({ length: GATES }, (_, index) =>
      podOf(namespace, nameOf("gate", index), nameOf("lease", index % HOLDERS)),
    ),
  ];
  for (let next = 0; next < pods.length; next += STARTED_AT_ONCE) {
    await Promise.all(pods.slice(next, next + STARTED_AT_ONCE).map((pod) => client.create(PODS, pod)));
    // Holders are created first: a pod that comes later waits.
    await waitFor({
      what: `${next + STARTED_AT_ONCE} pods to hold or wait`,
      withinMs: SET_UP_WITHIN_MS,
      holds: async () =>
        (await readRequests({ client }, namespace)).length >= Math.min(pods.length, next + STARTED_AT_ONCE),
    });
  }
}

/** Everything that an update must not change: tokens, and the order of the queues. */
async function readState(stage: Stage) {
  const requests = await readRequests(stage, stage.namespace);
  const leases = await Promise.all(
    Array.from({ length: HOLDERS }, (_, index) => readLease(stage, stage.namespace, nameOf("lease", index))),
  );
  return leases.map((lease) => ({
    name: lease.name,
    token: lease.status.hold?.token,
    holder: lease.status.hold?.ref.name,
    renewals: lease.status.hold?.renewals ?? 0,
    queue: waitingInOrder(
      lease,
      requests.filter(({ spec }) => spec.lease === lease.name),
    ).map(({ uid }) => uid),
  }));
}

/** How often gate containers were restarted. A gate that is sent to another replica goes on without a restart. */
async function restarts({ client, namespace }: Stage): Promise<number> {
  const { items } = await client.list(PODS, { namespace }, record);
  const statuses = items.flatMap((pod) => list(record(pod["status"])["initContainerStatuses"]).map(record));
  return statuses
    .filter(({ name }) => name === GATE_CONTAINER)
    .reduce((sum, { restartCount }) => sum + Number(restartCount), 0);
}

/** Creates labelled pods (as dry runs), one after the other, until `isOver`. */
async function admit({ client, namespace }: Stage, isOver: () => boolean) {
  const found = { admitted: 0, failed: 0, slowestMs: 0 };
  for (let index = 0; !isOver(); index++) {
    const beganMs = performance.now();
    try {
      await client.raw(
        "POST",
        `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
        podOf(namespace, nameOf("try", index), "any"),
      );
      found.admitted++;
    } catch (error) {
      found.failed++;
      process.stderr.write(`not admitted: ${String(error)}\n`);
    }
    found.slowestMs = Math.max(found.slowestMs, performance.now() - beganMs);
    await sleep(ADMITTED_EVERY_MS);
  }
  return found;
}

/** What the disturbance cost. */
export interface Cost {
  /** One line for people. */
  text: string;
  isNothing: boolean;
}

/** Runs konductor under load while `disturb` goes on. */
export async function atWork(
  options: Pick<ProcessEnvironmentOptions, "replicas" | "konductorFlags">,
  disturb: (environment: ProcessEnvironment) => Promise<void>,
): Promise<Cost> {
  const environment = await startProcessEnvironment({
    env: process.env,
    stream: process.stderr,
    ...options,
  });
  try {
    const stage = { client: environment.client, namespace: await environment.createNamespace() };
    await startPods(stage);
    await waitFor({
      what: "every klease to be held, and every gate to wait",
      withinMs: SET_UP_WITHIN_MS,
      async holds() {
        const state = await readState(stage);
        const waiting = state.reduce((sum, { queue }) => sum + queue.length, 0);
        return (
          waiting === GATES &&
          state.every(({ holder, renewals }) => holder?.startsWith("holder-") && renewals > 0)
        );
      },
    });
    const before = await readState(stage);
    const restartsBefore = await restarts(stage);
    let isOver = false;
    const beganMs = performance.now();
    const admissions = admit(stage, () => isOver);
    await disturb(environment);
    const seconds = (performance.now() - beganMs) / 1_000;
    isOver = true;
    const { admitted, failed, slowestMs } = await admissions;
    const after = await readState(stage);
    const lost = before.filter(({ token }, index) => token !== after[index]?.token).length;
    const moved = before.filter(({ queue }, index) => queue.join() !== after[index]?.queue.join()).length;
    const renewals = after.reduce(
      (sum, { renewals: count }, index) => sum + count - (before[index]?.renewals ?? 0),
      0,
    );
    const gateRestarts = (await restarts(stage)) - restartsBefore;
    // A gate in the queue might still not hear of its grant.
    const first = after[0];
    await stage.client.delete(PODS, { namespace: stage.namespace, name: first?.holder ?? "" });
    await waitForLease(
      stage,
      { namespace: stage.namespace, name: first?.name ?? "", what: "the next gate to hear that it holds" },
      ({ status: { hold } }) => hold !== undefined && hold.token !== first?.token && hold.renewals > 0,
    );
    const text =
      `${seconds.toFixed(0)} s: ${failed} of ${admitted + failed} admissions failed, the slowest took ${slowestMs.toFixed(0)} ms; ` +
      `${lost} of ${HOLDERS} holds lost, ${renewals} renewals; ${moved} of ${HOLDERS} queues changed, ${gateRestarts} gates started again`;
    return { text, isNothing: failed + lost + moved + gateRestarts === 0 };
  } finally {
    await environment.stop();
  }
}
