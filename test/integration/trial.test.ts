/** `kubectl apply --server-side -f dist/trial.yaml` on a real API server, while konductor itself does not run: there is no node. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Injection } from "../../src/server/admission/containers.ts";
import { injectPod } from "../../src/server/admission/inject.ts";
import { planPod } from "../../src/server/admission/plan.ts";
import { list, parseJson, record, text } from "../../src/shared/json.ts";
import {
  bootedGateProgram,
  ENV,
  gateProgram,
  LEASE_LABEL,
  NODE_PATHS,
  SYSTEM_NAMESPACE,
} from "../../src/shared/names.ts";
import { packageVersion } from "../../tools/build.ts";
import { TRIAL_IMAGE } from "../../tools/trial/trial-manifest.ts";
import { writeTrial } from "../../tools/trial/write-trial.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { CONTEXT } from "./admission-server.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const ROOT = join(import.meta.dirname, "../..");
const SYSTEM = `--namespace=${SYSTEM_NAMESPACE}`;
const NODE = NODE_PATHS[1];

let dir: string;
let path: string;
let cluster: Cluster;
let kubectl: Kubectl;
let injection: Injection;

const apply = () => kubectl("apply", "--server-side", `--filename=${path}`);

beforeAll(async () => {
  const { env } = inject("cluster");
  dir = await mkdtemp(join(tmpdir(), "konductor-trial-"));
  path = join(dir, "trial.yaml");
  const { programs } = await writeTrial({ root: ROOT, out: path });
  const program = programs.gate.toString("base64");
  injection = { ...CONTEXT.injection(), image: TRIAL_IMAGE, nodePath: NODE, program };
  cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} } });
  kubectl = kubectlOf(cluster);
  await apply();
});
afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true });
});

/** Every object of the manifest as it is stored, without what the API server and controllers note on it. */
async function stored(): Promise<unknown[]> {
  const all = parseJson(await kubectl("get", `--filename=${path}`, "--output=json"));
  return list(record(all)["items"])
    .map(record)
    .map(({ metadata, status: _, ...rest }) => {
      const { resourceVersion: __, managedFields: ___, ...identity } = record(metadata);
      return { ...rest, metadata: identity };
    });
}

test("konductor's pods pass the namespace's PodSecurity level", async () => {
  await waitFor({
    what: "the ReplicaSet to create both pods",
    withinMs: 20_000,
    holds: async () =>
      (await kubectl("get", "pods", SYSTEM, "--output=name")).trim().split("\n").length === 2,
  });
});

test("a second apply changes nothing, and leaves the CA bundle alone", async () => {
  const certificate = await readFile(join(cluster.dir, "pki/ca.crt"), "base64");
  const bundle = [{ op: "add", path: "/webhooks/0/clientConfig/caBundle", value: certificate }];
  const patch = `--patch=${JSON.stringify(bundle)}`;
  await kubectl("patch", "mutatingwebhookconfiguration/konductor", "--type=json", patch);
  const before = await stored();
  expect(JSON.stringify(before)).toContain(certificate);
  await apply();
  expect(await stored()).toEqual(before);
});

test("the ConfigMap holds konductor, which says that it is a trial", async () => {
  const output = "--output=jsonpath={.binaryData.konductor\\.mjs\\.br}";
  const bundle = await kubectl("get", "configmap/konductor-trial", SYSTEM, output);
  const script = join(dir, "konductor.mjs");
  await writeFile(script, brotliDecompressSync(Buffer.from(bundle, "base64")));
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--version"]);
  expect(stdout).toBe(`${await packageVersion(ROOT)}-trial\n`);
});

describe("without konductor's webhook", () => {
  const asked = {
    metadata: { labels: { [LEASE_LABEL]: "nightly" } },
    spec: { containers: [{ name: "main", image: "none" }] },
  };
  /** `change` is made to gate and keeper. */
  async function create(change: (container: Record<string, unknown>) => object = (container) => container) {
    const plan = planPod(asked, "default", CONTEXT, { path: "", job: undefined });
    const { metadata, spec } = injectPod(asked, plan, injection);
    const initContainers = (spec.initContainers ?? []).map(change);
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, name: "pod" },
      spec: { ...spec, initContainers },
    };
    await kubectl.withObject(pod, "create", "--dry-run=server");
  }
  const withProgram = (...variables: object[]) => {
    return (container: Record<string, unknown>) => {
      const env = list(container["env"]).filter((each) => text(record(each)["name"]) !== ENV.program);
      return { ...container, env: [...env, ...variables] };
    };
  };
  const ours = () => ({ name: ENV.program, value: injection.program });
  const UNGATED = "label konductor.io/lease asks for a gate";

  beforeAll(async () => {
    await kubectl("delete", "mutatingwebhookconfiguration/konductor");
    await waitFor({
      what: "the policy to be in force without konductor's webhook",
      withinMs: 30_000,
      async holds() {
        await expect(create((container) => ({ ...container, args: [] }))).rejects.toThrow(UNGATED);
        await create();
        return true;
      },
    });
  });

  test.each<[string, (container: Record<string, unknown>) => object]>([
    ["another program", withProgram({ name: ENV.program, value: "b3RoZXI=" })],
    ["no program", withProgram()],
    [
      "a program of somebody else's beside konductor's",
      (container) => withProgram(ours(), { name: ENV.program, value: "b3RoZXI=" })(container),
    ],
    [
      "a program from elsewhere",
      withProgram({ name: ENV.program, valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }),
    ],
    ["another script", (container) => ({ ...container, command: [NODE, "-e", "work()"] })],
    [
      "a script and options",
      (container) => ({ ...container, command: [NODE, "-p", ...bootedGateProgram(NODE).slice(2)] }),
    ],
    ["the program of another image", (container) => ({ ...container, command: gateProgram(NODE) })],
    [
      "a node that is found along its PATH",
      (container) => ({ ...container, command: bootedGateProgram(NODE).with(0, "node") }),
    ],
  ])("a pod whose gate and keeper run %s is refused", async (_, change) => {
    await expect(create(change)).rejects.toThrow(UNGATED);
  });

  test("a pod whose gate and keeper run another image is refused", async () => {
    await expect(create((container) => ({ ...container, image: "evil/node:24-slim" }))).rejects.toThrow(
      'konductor-gate and konductor-keeper run "node"',
    );
  });
});

test("the real install takes its place, and leaves nothing of it that is used", async () => {
  await kubectl("apply", "--server-side", "-k", join(ROOT, "deploy"));
  const json = await kubectl("get", "deployment/konductor", SYSTEM, "--output=json");
  const template = record(record(record(parseJson(json))["spec"])["template"]);
  const podSpec = record(template["spec"]);
  const image = `konductor:${await packageVersion(ROOT)}`;
  expect(podSpec).toMatchObject({
    containers: [{ image, command: ["/usr/bin/node", "/konductor/konductor.js", "serve"] }],
  });
  expect(podSpec).not.toHaveProperty("volumes");
  expect(record(list(podSpec["containers"])[0])).not.toHaveProperty("args");
  const data = await kubectl("get", "configmap/konductor-injection", SYSTEM, "--output=jsonpath={.data}");
  expect(parseJson(data)).toEqual({ image, mirrors: "" });
});
