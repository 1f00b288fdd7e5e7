/** A cluster with two replicas of konductor, and clients of every kind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { parse } from "yaml";
import { connect } from "../../../src/client/connect.ts";
import { createLeaseClient } from "../../../src/client/lease-client.ts";
import type { LeaseClient } from "../../../src/client/types.ts";
import { find } from "../../../src/kube/find.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { list, record } from "../../../src/shared/json.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment } from "../../e2e/environment.ts";
import { startProcessEnvironment } from "../../e2e/process-environment.ts";
import { koncli, type Outcome } from "../koncli.ts";

/** koncli as a process of its own, or a script that calls it. */
export interface KoncliProcess {
  readonly child: ChildProcess;
  /** The output so far. */
  readonly out: string;
  readonly err: string;
  /** Resolves with the exit code, or the signal that ended the process. */
  readonly ended: Promise<number | string>;
}

export interface Fixture {
  readonly environment: Environment;
  readonly namespace: string;
  /** The users' kubeconfigs; `admin` may do everything, the others what the ClusterRole konductor-user allows. */
  readonly kubeconfigs: Readonly<Record<"admin" | "alice" | "bob", string>>;
  /** Creates a klease and resolves with its name. */
  newLease(spec?: Readonly<Record<string, unknown>>): Promise<string>;
  lease(name: string): Promise<Lease>;
  requests(lease: string): Promise<LeaseRequest[]>;
  /** Resolves with the klease once it satisfies `wanted`. */
  until(name: string, what: string, wanted: (lease: Lease) => boolean, withinMs?: number): Promise<Lease>;
  /** koncli in this process, as alice. */
  koncli(...args: string[]): Promise<Outcome>;
  koncliAs(user: "admin" | "alice" | "bob", ...args: string[]): Promise<Outcome>;
  /** koncli as a process of its own, as alice. */
  start(...args: string[]): KoncliProcess;
  startAs(kubeconfigPath: string, ...args: string[]): KoncliProcess;
  /** The command line of koncli, as alice, to which arguments are appended. */
  readonly koncliCommand: readonly string[];
  /** Runs a shell script in which `koncli` runs as alice. */
  startScript(script: string, env: Readonly<Record<string, string>>): KoncliProcess;
  /** A kubeconfig for a user. `server` is another address of the API server, such as a proxy's. */
  kubeconfigOf(user: string, server?: string): Promise<string>;
  /** A client that acts as alice. */
  client(clock?: Clock): LeaseClient;
  stop(): Promise<void>;
}

export async function startFixture(name: string): Promise<Fixture> {
  const { env, programsDir } = inject("cluster");
  const environment = await startProcessEnvironment({ env, programsDir, stream: process.stderr });
  const { client: admin, kubectl, cluster } = environment;
  const dir = await mkdtemp(join(tmpdir(), "konductor-lease-client-"));
  const koncliPath = join(programsDir, "koncli.js");
  const namespace = name;
  await kubectl("create", "namespace", namespace);
  for (const user of ["alice", "bob"]) {
    const binding = ["create", "rolebinding", user, "--clusterrole=konductor-user", `--user=${user}`];
    await kubectl(...binding, `--namespace=${namespace}`);
  }
  const kubeconfigs = {
    admin: cluster.kubeconfigPath,
    alice: await impersonate(cluster.kubeconfigPath, "alice", dir),
    bob: await impersonate(cluster.kubeconfigPath, "bob", dir),
  };
  const ended: (() => Promise<unknown>)[] = [];
  let count = 0;

  function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): KoncliProcess {
    const started = startProcess(command, args, env);
    // Processes that the script started may still have its output open: the test has to end them.
    ended.push(async () => started.child.kill("SIGKILL"));
    return started;
  }

  const lease = (leaseName: string) => admin.get(LEASES, { namespace, name: leaseName }, parseLease);
  const fixture: Fixture = {
    environment,
    namespace,
    kubeconfigs,
    async newLease(spec = {}) {
      const leaseName = `lease-${++count}`;
      await admin.create(LEASES, { metadata: { namespace, name: leaseName }, spec: { ttl: "60s", ...spec } });
      return leaseName;
    },
    lease,
    async requests(leaseName) {
      const { items } = await admin.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest);
      return items.filter(({ spec }) => spec.lease === leaseName);
    },
    async until(leaseName, what, wanted, withinMs = 30_000) {
      let found: Lease | undefined;
      await waitFor({
        what: `klease ${leaseName} ${what}`,
        withinMs,
        everyMs: 50,
        async holds() {
          found = await find(admin, LEASES, { namespace, name: leaseName }, parseLease);
          return found !== undefined && wanted(found);
        },
      });
      if (!found) throw new Error(`klease ${leaseName} was never read`);
      return found;
    },
    koncli: (...args) => fixture.koncliAs("alice", ...args),
    koncliAs: (user, ...args) => koncli(["--kubeconfig", kubeconfigs[user], "-n", namespace, ...args]),
    start: (...args) => fixture.startAs(kubeconfigs.alice, ...args),
    kubeconfigOf: (user, server) => impersonate(cluster.kubeconfigPath, user, dir, server),
    startAs: (kubeconfigPath, ...args) =>
      start(process.execPath, [koncliPath, "--kubeconfig", kubeconfigPath, "-n", namespace, ...args]),
    koncliCommand: [process.execPath, koncliPath, "--kubeconfig", kubeconfigs.alice, "-n", namespace],
    startScript(script, env) {
      const prelude = `koncli() { ${fixture.koncliCommand.map((word) => `'${word}'`).join(" ")} "$@"; }`;
      return start("sh", ["-c", `${prelude}\n${script}`], env);
    },
    client(clock) {
      const { client } = connect(
        { kubeconfig: kubeconfigs.alice, namespace },
        {
          userAgent: "lease-client-test",
          env: {},
        },
      );
      ended.push(() => client.close());
      return createLeaseClient({ client, namespace, ...(clock && { clock }) });
    },
    async stop() {
      await Promise.allSettled(ended.map((end) => end()));
      await environment.stop();
      await rm(dir, { recursive: true });
    },
  };
  return fixture;
}

function startProcess(command: string, args: readonly string[], env: NodeJS.ProcessEnv): KoncliProcess {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    written.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    written.err += chunk;
  });
  const ended = once(child, "close").then(([code, signal]): number | string => code ?? signal);
  return {
    child,
    ended,
    get out() {
      return written.out;
    },
    get err() {
      return written.err;
    },
  };
}

/** A kubeconfig with which the admin impersonates `user`. */
async function impersonate(
  kubeconfigPath: string,
  user: string,
  dir: string,
  server?: string,
): Promise<string> {
  const config = record(parse(await readFile(kubeconfigPath, "utf8")));
  const users = list(config["users"])
    .map(record)
    .map((entry) => ({ ...entry, user: { ...record(entry["user"]), as: user } }));
  const clusters = list(config["clusters"])
    .map(record)
    .map((entry) => ({ ...entry, cluster: { ...record(entry["cluster"]), ...(server && { server }) } }));
  const path = join(dir, `${user}${server ? `-by-${new URL(server).port}` : ""}.kubeconfig`);
  await writeFile(path, JSON.stringify({ ...config, users, clusters }), { mode: 0o600 });
  return path;
}

/** Resolves when `waiter` has said that it waits, and its request exists. */
export async function waits(
  { requests }: Fixture,
  waiter: KoncliProcess,
  lease: string,
  holder: string,
): Promise<void> {
  await waitFor({
    what: `${holder} to wait for klease ${lease}`,
    withinMs: 30_000,
    everyMs: 50,
    holds: async () =>
      waiter.err.includes(`waiting for klease ${lease}, which is held by`) &&
      (await requests(lease)).some(
        ({ spec, status }) => spec.holder === holder && status.phase === "Pending",
      ),
  });
}
