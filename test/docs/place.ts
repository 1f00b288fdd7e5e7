/** Where the pages are run: a cluster with a real node, and for each page a reader with a namespace and a folder of their own. */
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTrial } from "../../tools/trial/write-trial.ts";
import { binarySources, findBinaries } from "../cluster/binaries/find.ts";
import { streamLog } from "../cluster/cluster.ts";
import { run } from "../cluster/command.ts";
import { type KubeletEnvironmentOptions, startKubeletEnvironment } from "../e2e/kubelet-environment.ts";
import { createNamespace } from "../e2e/namespace.ts";
import { writeNodeImage } from "../e2e/node-image.ts";
import { writePlaceholderImages } from "./images.ts";
import { ROOT } from "./markdown.ts";
import { runScript, type Written } from "./shell.ts";

const SCRIPT_WITHIN_MS = 300_000;
/** Where the reader of every page works, as the outputs on the pages say. */
const NAMESPACE = "shop";

/** Somebody who reads one page and does what it says. */
export interface Reader {
  /** Has what a clone of the repository has, and dist/trial.yaml. */
  readonly cwd: string;
  run(script: string): Promise<Written>;
  /** Makes sure that konductor is installed as shipped. */
  needKonductor(): Promise<void>;
  needNoKonductor(): Promise<void>;
  /** Pods, Jobs and Leases, for a page that has failed. */
  state(): Promise<string>;
  /** Deletes every namespace that the page has made. */
  leave(): Promise<void>;
}

export interface DocsPlace {
  reader(name: string): Promise<Reader>;
  stop(): Promise<void>;
}

/** Starts the cluster with the images that pages need. `dir` is an empty folder. */
export async function startDocsPlace({
  dir,
  env,
  stream,
}: KubeletEnvironmentOptions & { dir: string }): Promise<DocsPlace> {
  const { helm } = await findBinaries(["helm"], binarySources(env, streamLog(stream)));
  const environment = await startKubeletEnvironment({ env, stream });
  const { cluster, client, kubectl, konductor } = environment;
  try {
    const images = [await writeNodeImage(dir, env), ...(await writePlaceholderImages(dir))];
    for (const path of images) await cluster.node?.importImage(path);
    await writeTrial({ root: ROOT, out: join(dir, "dist/trial.yaml") });
    await writePrograms(join(dir, "bin"), { kubectl: cluster.kubectlPath, helm });
  } catch (error) {
    await environment.stop();
    throw error;
  }
  let isInstalled: boolean | undefined = true;

  async function readerOf(name: string): Promise<Reader> {
    const cwd = join(dir, name);
    await createNamespace(client, NAMESPACE);
    await mkdir(cwd);
    for (const path of ["examples", "deploy", "charts", "certs", "webhook-config"])
      await symlink(join(ROOT, path), join(cwd, path));
    await symlink(join(dir, "dist"), join(cwd, "dist"));
    const kubeconfig = join(cwd, "kubeconfig");
    await writeFile(kubeconfig, await kubectl("config", "view", "--raw", "--flatten"), { mode: 0o600 });
    await run(cluster.kubectlPath, [
      ...["config", "set-context", "--current", `--namespace=${NAMESPACE}`],
      `--kubeconfig=${kubeconfig}`,
    ]);
    const path = `${cwd}:${join(dir, "bin")}:${env["PATH"] ?? ""}`;
    const shellEnv = { ...env, KUBECONFIG: kubeconfig, HOME: cwd, PATH: path };
    const runHere = (script: string) =>
      runScript(script, { cwd, env: shellEnv, timeoutMs: SCRIPT_WITHIN_MS });
    return {
      cwd,
      run(script) {
        // Pages delete parts of the install, to show how.
        if (/kubectl (delete|apply|patch)|helm/.test(script)) isInstalled = undefined;
        return runHere(script);
      },
      async needKonductor() {
        if (isInstalled) return;
        await kubectl("apply", "--server-side", "--force-conflicts", "-k", join(ROOT, "deploy"));
        await konductor.start();
        isInstalled = true;
      },
      async needNoKonductor() {
        if (isInstalled === false) return;
        await kubectl("delete", "--ignore-not-found", "-k", join(ROOT, "deploy"));
        isInstalled = false;
      },
      async state() {
        const kinds = "pods,jobs,leases.konductor.io,leaserequests.konductor.io";
        const { stdout, stderr } = await runHere(
          `kubectl get ${kinds} -A; kubectl get events --sort-by=.lastTimestamp`,
        );
        return `${stdout}${stderr}`;
      },
      async leave() {
        const all = (await kubectl("get", "namespaces", "--output=name")).trim().split("\n");
        const own = all.filter((each) => !/\/(kube-.*|default|konductor-system)$/.test(each));
        // Gone before the next page is read, which may look at all namespaces.
        await kubectl("delete", ...own);
      },
    };
  }

  return { reader: readerOf, stop: () => environment.stop() };
}

/** kubectl, helm and koncli in one folder. */
async function writePrograms(binDir: string, paths: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(binDir);
  for (const [name, path] of Object.entries(paths)) await symlink(path, join(binDir, name));
  const koncli = join(binDir, "koncli");
  await writeFile(koncli, `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "dist/koncli.js")} "$@"\n`);
  await chmod(koncli, 0o755);
}
