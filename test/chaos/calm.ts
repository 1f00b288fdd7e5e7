/** Whether the cluster is healthy, as a round that takes the kubelet away requires. */
import { PODS } from "../../src/kube/resources.ts";
import { KEEPER_CONTAINER, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "../e2e/environment.ts";
import { BUSYBOX_IMAGE } from "../e2e/workload.ts";
import type { Watch } from "./watch.ts";

export interface Calm {
  /**
   * Resolves when the API server answers, two replicas are ready, every running main has a keeper and a recently renewed hold, and the kubelet has
   * run a new pod to its end. Rejects after three minutes, or when `signal` aborts.
   */
  wait(when: string, signal: AbortSignal): Promise<void>;
  /** Replaces the replicas that are in CrashLoopBackOff: after a few kills their restart takes minutes. */
  replaceCrashed(): Promise<void>;
}

const REPLICAS = 2;
const CALM_WITHIN_MS = 180_000;
/** Renewals come each third of the ttl. */
const RENEWED_WITHIN_TTL = 0.45;

export function createCalm(
  { client }: Pick<Environment, "client">,
  namespace: string,
  { pods, replicas, leases }: Watch,
): Calm {
  let probes = 0;

  function troubles(): string[] {
    const ready = replicas.store
      .list()
      .filter(({ isEnding, containers }) => !isEnding && containers.some(({ isReady }) => isReady));
    const unkept = pods.store.list().filter(({ isEnding, containers }) => {
      const runs = (wanted: string) =>
        containers.some(({ name, state }) => name === wanted && state === "running");
      const keeper = containers.find(({ name }) => name === KEEPER_CONTAINER);
      return !isEnding && keeper !== undefined && runs("main") && keeper.state !== "running";
    });
    const silent = leases.store.list().filter(({ status: { hold } }) => {
      const renewedMs = hold ? hold.expiresMs - hold.ttlMs : Number.NaN;
      return hold?.expired || (hold && Date.now() - renewedMs > RENEWED_WITHIN_TTL * hold.ttlMs);
    });
    return [
      ...(ready.length === REPLICAS ? [] : [`${ready.length} replicas are ready`]),
      ...unkept.map(({ name }) => `${name} has no keeper`),
      ...silent.map(({ name, status }) => `klease ${name} is silent, held by ${status.hold?.holder}`),
    ];
  }

  /** Only a kubelet that works again runs a new pod. */
  async function probe(signal: AbortSignal): Promise<void> {
    const name = `probe-${++probes}`;
    const containers = [
      { name: "probe", image: BUSYBOX_IMAGE, imagePullPolicy: "IfNotPresent", command: ["true"] },
    ];
    await client.create(PODS, {
      metadata: { namespace, name },
      spec: { restartPolicy: "Never", containers },
    });
    await waitFor({
      what: `the kubelet to run pod ${name}`,
      withinMs: 60_000,
      abort: () => signal.throwIfAborted(),
      holds: async () => pods.store.get(`${namespace}/${name}`)?.phase === "Succeeded",
    });
    await client.delete(PODS, { namespace, name });
  }

  async function replaceCrashed(): Promise<void> {
    const crashed = replicas.store
      .list()
      .filter(
        ({ isEnding, containers }) =>
          !isEnding && containers.some(({ id, state }) => id !== "" && state === "waiting"),
      );
    const remove = ({ name }: { name: string }) => client.delete(PODS, { namespace: SYSTEM_NAMESPACE, name });
    // While the API server is away, the deletion is left to the next call.
    await Promise.allSettled(crashed.map(remove));
  }

  return {
    replaceCrashed,
    async wait(when, signal) {
      await waitFor({
        what: `all to be well ${when}`,
        withinMs: CALM_WITHIN_MS,
        abort: () => signal.throwIfAborted(),
        async holds() {
          await client.raw("GET", "/readyz");
          await replaceCrashed();
          await probe(signal);
          const found = troubles();
          if (found.length > 0) throw new Error(found.join("; "));
          return true;
        },
      });
    },
  };
}
