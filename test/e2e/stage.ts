/** One klease in a namespace of its own, with its journal: the stage of most scenarios. */
import { LEASES, PODS } from "../../src/kube/resources.ts";
import { type PodView, parsePod } from "../../src/lease/pod.ts";
import type { Hold, Lease } from "../../src/lease/types.ts";
import { hasCode } from "../../src/shared/errors.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment, PodName } from "./environment.ts";
import type { Journal, Run } from "./journal.ts";
import { readRequests, waitForLease } from "./observe.ts";
import { pod, type Workload } from "./workload.ts";

export interface Stage {
  readonly namespace: string;
  readonly journal: Journal;
  /** Creates a pod that wants the klease, unless the pod exists. */
  apply(name: string, details?: Partial<Workload>): Promise<PodName>;
  /** Resolves with the klease once it satisfies `wanted`. */
  lease(what: string, wanted: (lease: Lease) => boolean, withinMs?: number): Promise<Lease>;
  /** Resolves with the hold of pod `name` once the hold is confirmed. */
  holds(name: string, withinMs?: number): Promise<Hold>;
  /** Resolves when pod `name` is in the queue. */
  waits(name: string): Promise<void>;
  /** Resolves with the runs of the pod's main once there are `count`. */
  runs(name: string, count: number, withinMs?: number): Promise<Run[]>;
  /** Sends SIGTERM to main of the pod. Waits until main runs, because an earlier signal would be lost. */
  endMain(name: string): Promise<void>;
  /** Resolves with the pod once it satisfies `wanted`. */
  pod(name: string, what: string, wanted: (pod: PodView) => boolean, withinMs?: number): Promise<PodView>;
  /** Resolves with the klease when nobody holds it and no request is left. */
  atRest(withinMs?: number): Promise<Lease>;
}

/** Creates the klease `name` with this spec, in a new namespace without pods. */
export async function setStage(
  environment: Environment,
  name: string,
  spec: Readonly<Record<string, unknown>>,
): Promise<Stage> {
  const { client } = environment;
  const namespace = await environment.createNamespace();
  const journal = environment.journal(`${namespace}-${name}`);
  await client.create(LEASES, { metadata: { namespace, name }, spec });

  const lease: Stage["lease"] = (what, wanted, withinMs = 60_000) =>
    waitForLease(environment, { namespace, name, what, withinMs }, wanted);
  const requests = () => readRequests(environment, namespace);

  const stage: Stage = {
    namespace,
    journal,
    lease,
    async apply(podName, details) {
      const workload = { namespace, name: podName, lease: name, journal, ...details };
      await client.create(PODS, pod(workload)).catch((error: unknown) => {
        if (!hasCode(error, "AlreadyExists")) throw error;
      });
      return { namespace, name: podName };
    },
    async holds(podName, withinMs) {
      const isHeld = ({ status: { hold } }: Lease) => hold?.holder === podName && hold.confirmed;
      const { status } = await lease(`${podName} to hold`, isHeld, withinMs);
      if (!status.hold) throw new Error("waitForLease returned another lease than the wanted one");
      return status.hold;
    },
    waits: (podName) =>
      waitFor({
        what: `${podName} to wait`,
        withinMs: 30_000,
        holds: async () =>
          (await requests()).some(
            ({ spec, status }) => spec.holder === podName && status.phase === "Pending",
          ),
      }),
    async runs(podName, count, withinMs = 60_000) {
      let runs: Run[] = [];
      await waitFor({
        what: `run ${count} of ${podName}`,
        withinMs,
        async holds() {
          runs = (await journal.runs()).filter(({ by }) => by === podName);
          return runs.length >= count;
        },
      });
      return runs;
    },
    async endMain(podName) {
      await stage.runs(podName, 1);
      await environment.killContainer({ namespace, name: podName }, "main", "SIGTERM");
    },
    async pod(podName, what, wanted, withinMs = 60_000) {
      let found: PodView | undefined;
      await waitFor({
        what: `pod ${podName} ${what}`,
        withinMs,
        async holds() {
          found = await client.get(PODS, { namespace, name: podName }, parsePod);
          return wanted(found);
        },
      });
      if (!found) throw new Error(`pod ${podName} was never read`);
      return found;
    },
    async atRest(withinMs = 60_000) {
      await waitFor({
        what: `the requests in ${namespace} to be gone`,
        withinMs,
        holds: async () => (await requests()).length === 0,
      });
      return lease("the klease to be free", ({ status }) => !status.hold, withinMs);
    },
  };
  return stage;
}
