/** Each form of the install on a fresh cluster with a kubelet, timed from its command to the end of the first labelled Job, and taken away again. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LEASE_LABEL, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { packageVersion } from "../../tools/build.ts";
import { CHART_DIR } from "../../tools/manifests/forms.ts";
import { renderOverlay } from "../../tools/manifests/render.ts";
import { writeTrial } from "../../tools/trial/write-trial.ts";
import { CONTROL_PLANE_BINARIES, NODE_BINARIES } from "../cluster/binaries/catalog.ts";
import { binarySources, findBinaries } from "../cluster/binaries/find.ts";
import { startCluster, streamLog } from "../cluster/cluster.ts";
import { run } from "../cluster/command.ts";
import { waitFor } from "../cluster/wait.ts";
import { type Kubectl, kubectlOf } from "../integration/kubectl.ts";
import { buildInstall } from "./kubelet-environment.ts";
import { writeNodeImage } from "./node-image.ts";
import { BUSYBOX_IMAGE } from "./workload.ts";

const ROOT = join(import.meta.dirname, "../..");
const ELSEWHERE = "locks";
const { env, stderr: stream } = process;
const log = streamLog(stream);

interface Tools {
  readonly kubectl: Kubectl;
  readonly kubectlPath: string;
  /** With the cluster's kubeconfig, in {@link ELSEWHERE}. */
  helm(...args: string[]): Promise<string>;
}

interface Form {
  readonly name: string;
  readonly namespace: string;
  readonly isTrial?: boolean;
  install(tools: Tools): Promise<unknown>;
  uninstall(tools: Tools): Promise<unknown>;
  /** Whether Leases outlive it. */
  readonly keepsLeases?: boolean;
}

let dir: string;
let imagePath: string;
let nodeImagePath: string;
let helmPath: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-installs-"));
  // A build takes minutes, which no test has.
  const needed = ["helm", ...CONTROL_PLANE_BINARIES, ...NODE_BINARIES] as const;
  ({ helm: helmPath } = await findBinaries(needed, binarySources(env, log)));
  ({ imagePath } = await buildInstall(stream));
  nodeImagePath = await writeNodeImage(dir, env);
  await writeTrial({ root: ROOT, out: join(dir, "trial.yaml") });
});
afterAll(() => rm(dir, { recursive: true }));

function byFile(
  name: string,
  path: () => string,
): Pick<Form, "name" | "namespace" | "install" | "uninstall"> {
  return {
    name,
    namespace: SYSTEM_NAMESPACE,
    install: ({ kubectl }) => kubectl("apply", "--server-side", `--filename=${path()}`),
    uninstall: ({ kubectl }) => kubectl("delete", `--filename=${path()}`),
  };
}

const FORMS: readonly Form[] = [
  { ...byFile("trial.yaml", () => join(dir, "trial.yaml")), isTrial: true },
  byFile("install.yaml", () => join(ROOT, "deploy/install.yaml")),
  {
    ...byFile("kustomize in another namespace", () => join(dir, "elsewhere.yaml")),
    namespace: ELSEWHERE,
    async install({ kubectl, kubectlPath }) {
      const image = { newName: "konductor", newTag: await packageVersion(ROOT) };
      const rendered = await renderOverlay(kubectlPath, join(ROOT, "deploy"), {
        namespace: ELSEWHERE,
        image,
      });
      await writeFile(join(dir, "elsewhere.yaml"), rendered);
      await kubectl("apply", `--filename=${join(dir, "elsewhere.yaml")}`);
    },
  },
  {
    name: "the Helm chart",
    namespace: ELSEWHERE,
    install: ({ helm }) => helm("install", "konductor", join(ROOT, CHART_DIR), "--create-namespace"),
    uninstall: ({ helm }) => helm("uninstall", "konductor"),
    keepsLeases: true,
  },
];

const LABELLED = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "first", namespace: "default", labels: { [LEASE_LABEL]: "first" } },
  spec: {
    template: {
      spec: {
        restartPolicy: "Never",
        containers: [{ name: "main", image: BUSYBOX_IMAGE, command: ["true"] }],
      },
    },
  },
};

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

test.each(FORMS)("$name: from its command to the end of the first labelled Job, and back", async (form) => {
  const cluster = await startCluster({ node: "kubelet", name: form.name, env, log });
  try {
    const kubectl = kubectlOf(cluster);
    const inNamespace = [`--kubeconfig=${cluster.kubeconfigPath}`, `--namespace=${form.namespace}`];
    const tools: Tools = {
      kubectl,
      kubectlPath: cluster.kubectlPath,
      helm: (...args) => run(helmPath, [...args, ...inNamespace]),
    };
    await cluster.node?.importImage(form.isTrial ? nodeImagePath : imagePath);

    const startedMs = performance.now();
    await form.install(tools);
    await kubectl(
      "rollout",
      "status",
      "deployment/konductor",
      `--namespace=${form.namespace}`,
      "--timeout=120s",
    );
    const readyMs = performance.now() - startedMs;
    await waitFor({
      what: "kube-proxy to lead the API server's webhook calls to konductor",
      withinMs: 30_000,
      holds: async () => {
        await kubectl.withObject(LABELLED, "create");
        return true;
      },
    });
    await kubectl("wait", "--for=condition=Complete", "job/first", "--timeout=60s");
    const endedMs = performance.now() - startedMs;
    stream.write(
      `${form.name}: ready after ${seconds(readyMs)}, first labelled Job ended after ${seconds(endedMs)}\n`,
    );
    const history = "--output=jsonpath={.status.phase} {.status.history[*].reason}";
    expect(await kubectl("get", "klease/first", history)).toMatch(/^Available (Released|Terminated)$/);

    await kubectl("delete", "job/first");
    await form.uninstall(tools);
    const left =
      "mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
    expect(await kubectl("get", left, "--output=name")).toBe("");
    const crds = await kubectl("get", "crds", "--output=name");
    expect(crds.includes("leases.konductor.io")).toBe(form.keepsLeases === true);
    await kubectl.withObject(LABELLED, "create");
    await kubectl("wait", "--for=condition=Complete", "job/first", "--timeout=60s");
  } finally {
    await cluster.stop();
  }
});
