/** Plays the plot on a cluster: Jobs as their users would create them, and holds of koncli's kind. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLeaseClient } from "../../src/client/lease-client.ts";
import { withLease } from "../../src/client/with-lease.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import { JOBS, LEASES } from "../../src/kube/resources.ts";
import { parseLease } from "../../src/lease/codec.ts";
import type { Lease } from "../../src/lease/types.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { LEASE_LABEL } from "../../src/shared/names.ts";
import { waitFor } from "../../test/cluster/wait.ts";
import { adminClient } from "../../test/e2e/admin-client.ts";
import { createNamespace } from "../../test/e2e/namespace.ts";
import type { ProcessEnvironment } from "../../test/e2e/process-environment.ts";
import { BUSYBOX_IMAGE } from "../../test/e2e/workload.ts";
import { type Line, PLOT, type Turn } from "./plot.ts";
import { kubeconfigOf } from "./users.ts";

export interface StoryOptions {
  environment: ProcessEnvironment;
  /** For kubeconfigs. */
  dir: string;
  signal: AbortSignal;
  say(text: string): void;
}

export interface Story {
  /** Resolves when everybody holds or waits as the pictures show it. */
  told: Promise<void>;
  /** Resolves after `signal`, when nothing of it runs any more. */
  ended: Promise<unknown>;
}

/** Who ends holds by force. */
const ADMIN = "alice@example.org";
/** A queue grows by one in this time. */
const WAITER_COMES_MS = 7_000;
const HELD_WITHIN_MS = 90_000;

/** Begins the story. */
export async function playStory({ environment, dir, signal, say }: StoryOptions): Promise<Story> {
  const { client: owner, cluster, kubectl } = environment;
  for (const role of ["konductor-admin", "view"])
    await kubectl(
      "create",
      "clusterrolebinding",
      `forcer-${role}`,
      `--clusterrole=${role}`,
      `--user=${ADMIN}`,
    );
  for (const namespace of new Set(PLOT.map((line) => line.namespace))) {
    await createNamespace(owner, namespace);
    const users = new Set(PLOT.filter((line) => line.namespace === namespace).map(({ user }) => user));
    const bind = [
      "create",
      "rolebinding",
      "users",
      "--clusterrole=konductor-user",
      `--namespace=${namespace}`,
    ];
    await kubectl(...bind, ...[...users].map((user) => `--user=${user}`));
  }
  const clients: KubeClient[] = [];
  async function clientOf(user: string): Promise<KubeClient> {
    const made = adminClient({ kubeconfigPath: await kubeconfigOf(cluster.kubeconfigPath, user, dir) });
    clients.push(made);
    return made;
  }
  const admin = await clientOf(ADMIN);
  const running: Promise<unknown>[] = [];

  async function playLine(line: Line): Promise<void> {
    const { namespace, lease: name, ttl, past, present, waiters = [], isSilent = false } = line;
    const user = await clientOf(line.user);
    await owner.create(LEASES, { metadata: { namespace, name }, spec: { ttl } });
    const read = () => owner.get(LEASES, { namespace, name }, parseLease);
    const until = (what: string, wanted: (lease: Lease) => boolean) =>
      waitFor({
        what: `klease ${namespace}/${name} ${what}`,
        withinMs: HELD_WITHIN_MS,
        holds: async () => wanted(await read()),
        abort: () => signal.throwIfAborted(),
      });
    const client = createLeaseClient({ client: user, namespace, clock: systemClock() });
    /** Asks, and holds for so long once it is granted; without a time, until the end. */
    function begin(holder: string, seconds: number | undefined): void {
      const held =
        line.by === "Job"
          ? owner.create(JOBS, jobOf(line, holder, seconds))
          : withLease(
              { client: user, namespace, lease: name, holder, timeoutMs: Number.POSITIVE_INFINITY, signal },
              ({ signal: lost }) => rest(seconds, lost),
            );
      running.push(held.then(undefined, () => {}));
    }

    async function playTurn({ holder, seconds, pause = 0, end }: Turn): Promise<void> {
      await sleep(pause * 1_000, undefined, { signal });
      const isOver = ({ status: { history, hold } }: Lease) =>
        !hold && (history[0]?.holder.startsWith(holder) ?? false);
      if (end === "silence") await client.acquire(wish(name, holder));
      else begin(holder, end === "forced" ? undefined : seconds);
      if (end === "forced") {
        await until(`held by ${holder}`, ({ status }) => status.hold?.holder === holder);
        await sleep(seconds * 1_000, undefined, { signal });
        const forcer = createLeaseClient({ client: admin, namespace, clock: systemClock() });
        await forcer.forceRelease({ lease: name, now: false });
      }
      await until(`let go by ${holder}`, isOver);
    }

    for (const turn of past) await playTurn(turn);
    if (present === undefined) return;
    if (isSilent) await client.acquire({ ...wish(name, present), ttlMs: 600_000 });
    else begin(present, undefined);
    await until(`held by ${present}`, ({ status }) => status.hold?.holder.startsWith(present) ?? false);
    for (const waiter of waiters) {
      begin(waiter, undefined);
      await sleep(WAITER_COMES_MS, undefined, { signal });
    }
    await until("waited for", ({ status }) => status.waiters === waiters.length);
  }

  const told = Promise.all(
    PLOT.map(async (line) => {
      await playLine(line);
      say(`${line.namespace}/${line.lease}: as in the pictures\n`);
    }),
  ).then(() => {});
  const ended = told
    .catch(() => {})
    .then(() => Promise.all(running))
    .finally(() => Promise.all(clients.map((each) => each.close())));
  return { told, ended };
}

const wish = (lease: string, holder: string) => ({ lease, holder, join: false, timeoutMs: 0 });

/** Resolves after so long, or at the signal. */
async function rest(seconds: number | undefined, signal: AbortSignal): Promise<void> {
  const ms = seconds === undefined ? 3_600_000 : seconds * 1_000;
  await sleep(ms, undefined, { signal }).catch(() => {});
}

function jobOf(
  { namespace, lease }: Line,
  name: string,
  seconds: number | undefined,
): Readonly<Record<string, unknown>> {
  const command = ["sh", "-c", `trap 'exit 143' TERM; sleep ${seconds ?? 3_600} & wait $!`];
  const container = { name: "main", image: BUSYBOX_IMAGE, imagePullPolicy: "IfNotPresent", command };
  return {
    metadata: { namespace, name },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { [LEASE_LABEL]: lease } },
        spec: { restartPolicy: "Never", automountServiceAccountToken: false, containers: [container] },
      },
    },
  };
}
