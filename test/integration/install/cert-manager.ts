/** Who issues what the objects of certs/cert-manager ask for: the real cert-manager. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { record, text } from "../../../src/shared/json.ts";
import { binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { run } from "../../cluster/command.ts";
import { streamLog } from "../../cluster/log.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Kubectl } from "../kubectl.ts";

export interface CertManager {
  /** Builds it, for minutes where it is not in the cache, and makes its kinds known to the API server. */
  install(): Promise<void>;
  /** Issues what there is, sooner or later. */
  start(): Promise<void>;
  /** Has the certificates of CA and server issued again, as before they expire. */
  renew(): Promise<void>;
  stop(): Promise<void>;
}

export interface CertManagerOptions {
  cluster: Cluster;
  kubectl: Kubectl;
  env: Readonly<Record<string, string | undefined>>;
}

const SYSTEM = "--namespace=konductor-system";
const MODULE_DIR = join(import.meta.dirname, "../../cluster/go/cert-manager");

/** cert-manager's own controllers and CA injector, as a process with the rights of an admin. */
export function realCertManager({ cluster, kubectl, env }: CertManagerOptions): CertManager {
  let child: ChildProcess | undefined;
  let programPath = "";
  const fieldOf = async (what: string, path: string) =>
    kubectl("get", what, SYSTEM, `--output=jsonpath={${path}}`);
  /** As `cmctl renew`. */
  async function renew(name: string): Promise<void> {
    const revision = await fieldOf(`certificate/${name}`, ".status.revision");
    const condition = { type: "Issuing", status: "True", reason: "ManuallyTriggered", message: "by a test" };
    const change = [{ op: "add", path: "/status/conditions/-", value: condition }];
    const patch = `--patch=${JSON.stringify(change)}`;
    await kubectl("patch", `certificate/${name}`, SYSTEM, "--subresource=status", "--type=json", patch);
    await waitFor({
      what: `Certificate ${name} to be renewed`,
      withinMs: 30_000,
      holds: async () => (await fieldOf(`certificate/${name}`, ".status.revision")) !== revision,
    });
  }
  return {
    async install() {
      const sources = binarySources(env, streamLog(process.stderr));
      programPath = (await findBinaries(["cert-manager"], sources))["cert-manager"];
      const download = ["mod", "download", "-json", "github.com/cert-manager/cert-manager"];
      const { Dir: dir } = record(JSON.parse(await run("go", download, { cwd: MODULE_DIR, env })));
      const kinds = join(text(dir) ?? "", "deploy/crds");
      // Client-side apply would store them whole in an annotation, for which they are too long.
      await kubectl("apply", "--server-side", "-f", kinds);
      await kubectl("wait", "--for=condition=Established", "-f", kinds);
    },
    async start() {
      child = spawn("setpriv", ["--pdeathsig", "KILL", programPath, cluster.kubeconfigPath]);
      child.stderr?.pipe(createWriteStream(join(cluster.dir, "log", "cert-manager-controller.log")));
    },
    async renew() {
      await renew("konductor-ca");
      await renew("konductor");
    },
    async stop() {
      if (!child || child.exitCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
