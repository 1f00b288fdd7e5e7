import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Api, answersOk, clusterApi } from "./api.ts";
import type { ControlPlaneBinary } from "./binaries/catalog.ts";
import type { Binaries } from "./binaries/find.ts";
import type { ControlPlane, ControlPlaneProcessName } from "./control-plane-api.ts";
import {
  AUDIT_POLICY,
  apiServerFlags,
  controllerManagerFlags,
  etcdFlags,
  schedulerFlags,
} from "./control-plane-flags.ts";
import { newPki, type Pki } from "./pki.ts";
import { managedProcess } from "./process.ts";
import { waitFor } from "./wait.ts";

export const CONTROL_PLANE_PORTS = 5;
/** A machine of tests has more memory than time: 100, Go's default, spends a tenth of an API server's time on collecting garbage. */
const GOGC = "300";

export interface ControlPlaneOptions {
  readonly binaries: Binaries<ControlPlaneBinary>;
  /** An existing, empty folder. */
  readonly dir: string;
  /** All processes listen on this address; the host must be able to reach it. */
  readonly address: string;
  /** The first {@link CONTROL_PLANE_PORTS} of them are used. */
  readonly ports: readonly number[];
  /** Put before each command line, e.g. to enter a network namespace. */
  readonly enter: readonly string[];
  /** PATH of the processes. */
  readonly path: string;
  readonly flags: Partial<Record<ControlPlaneProcessName, readonly string[]>>;
}

/** A control plane, and what adding a node to it requires. */
export interface StartedControlPlane extends ControlPlane {
  readonly pki: Pki;
  readonly api: Api;
}

/** Starts etcd, API server, controller manager and scheduler, and returns when all are ready. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<StartedControlPlane> {
  const { dir, address } = options;
  const [etcd = 0, etcdPeer = 0, apiServer = 0, controllerManager = 0, scheduler = 0] = options.ports;
  const ports = { etcd, etcdPeer, apiServer, controllerManager, scheduler };
  const apiServerUrl = `https://${address}:${apiServer}`;
  const pki = await newPki({ dir, address, apiServerUrl });
  const api = clusterApi(apiServerUrl, pki.authority.certificatePem, pki.admin);
  await mkdir(join(dir, "log"), { recursive: true });
  await writeFile(join(dir, "audit-policy.yaml"), AUDIT_POLICY);
  const kubeconfigs = {
    controllerManager: await pki.kubeconfig("controller-manager", {
      commonName: "system:kube-controller-manager",
    }),
    scheduler: await pki.kubeconfig("scheduler", { commonName: "system:kube-scheduler" }),
  };

  const inputs = { dir, pkiDir: pki.dir, address, ports, kubeconfigs };
  const define = (name: ControlPlaneProcessName, flags: string[], ready: () => Promise<boolean>) =>
    managedProcess({
      name,
      command: [...options.enter, options.binaries[name], ...flags, ...(options.flags[name] ?? [])],
      cwd: dir,
      env: { PATH: options.path, GOGC },
      logPath: join(dir, "log", `${name}.log`),
      ready,
    });
  const processes = {
    etcd: define("etcd", etcdFlags(inputs), async () => (await fetch(`http://${address}:${etcd}/health`)).ok),
    "kube-apiserver": define(
      "kube-apiserver",
      apiServerFlags(inputs),
      async () => (await api.get("/readyz")) === "ok",
    ),
    "kube-controller-manager": define("kube-controller-manager", controllerManagerFlags(inputs), () =>
      answersOk(`https://${address}:${controllerManager}/healthz`),
    ),
    "kube-scheduler": define("kube-scheduler", schedulerFlags(inputs), () =>
      answersOk(`https://${address}:${scheduler}/healthz`),
    ),
  };

  await processes.etcd.start();
  await processes["kube-apiserver"].start();
  await Promise.all([processes["kube-controller-manager"].start(), processes["kube-scheduler"].start()]);
  await waitFor({
    what: "the default service account",
    withinMs: 30_000,
    holds: async () => (await api.get("/api/v1/namespaces/default/serviceaccounts/default")) !== "",
  });

  const kubeconfigPath = join(dir, "kubeconfig");
  await copyFile(
    await pki.kubeconfig("admin", { commonName: "admin", organization: "system:masters" }),
    kubeconfigPath,
  );
  return {
    kubeconfigPath,
    apiServerUrl,
    dir,
    auditLogPath: join(dir, "audit.log"),
    pki,
    api,
    pid: (name) => processes[name].pid,
    kill: (name) => processes[name].kill(),
    start: (name) => processes[name].start(),
    pause: (name) => processes[name].pause(),
    resume: (name) => processes[name].resume(),
    async stop() {
      await Promise.all(Object.values(processes).map((each) => each.kill()));
    },
  };
}
