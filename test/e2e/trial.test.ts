/** Smoke scenarios on a trial, on a kubelet that has an image of Node alone. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { PODS } from "../../src/kube/resources.ts";
import { list, parseJson, record } from "../../src/shared/json.ts";
import { INJECTED_ANNOTATION, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { packageVersion } from "../../tools/build.ts";
import { TRIAL_IMAGE } from "../../tools/trial/trial-manifest.ts";
import { writeTrial } from "../../tools/trial/write-trial.ts";
import type { Scenario } from "./environment.ts";
import { startKubeletEnvironment } from "./kubelet-environment.ts";
import { writeNodeImage } from "./node-image.ts";
import { SCENARIOS } from "./scenarios.ts";
import { scenarioSuite } from "./suite.ts";
import { job, pod } from "./workload.ts";

const root = join(import.meta.dirname, "../..");
const { env, stderr: stream } = process;

let dir: string | undefined;
afterAll(async () => {
  if (dir) await rm(dir, { recursive: true });
});

const shows: Scenario = {
  name: "kubectl says that it is a trial, and konductor, gate and keeper run the public image",
  async run(environment) {
    const { client, kubectl } = environment;
    const namespace = await environment.createNamespace();
    const workload = { namespace, name: "first", lease: "tried", journal: environment.journal(namespace) };
    const version = `${await packageVersion(root)}-trial`;
    const dryRun = ["create", "--dry-run=server"];
    await expect(kubectl.withObject(job(workload), ...dryRun, "--warnings-as-errors")).rejects.toThrow(
      `this is a trial of konductor (${version})`,
    );
    const { metadata, spec } = record(
      parseJson(await kubectl.withObject(pod(workload), ...dryRun, "--output=json")),
    );
    expect(record(metadata)["annotations"]).toMatchObject({ [INJECTED_ANNOTATION]: version });
    const injected = list(record(spec)["initContainers"]).map(record);
    expect(injected.map(({ image }) => image)).toEqual([TRIAL_IMAGE, TRIAL_IMAGE]);
    const replicas = (await client.list(PODS, { namespace: SYSTEM_NAMESPACE })).items.map(record);
    const images = replicas.flatMap(({ spec }) => list(record(spec)["containers"]));
    expect(images.map((container) => record(container)["image"])).toEqual([TRIAL_IMAGE, TRIAL_IMAGE]);
  },
};

scenarioSuite({
  node: "kubelet",
  env,
  width: 4,
  apart: 0,
  scenarios: [shows, ...SCENARIOS.filter(({ isSmoke }) => isSmoke)],
  async start() {
    dir = await mkdtemp(join(tmpdir(), "konductor-trial-"));
    const imagePath = await writeNodeImage(dir, env);
    const manifest = join(dir, "trial.yaml");
    await writeTrial({ root, out: manifest });
    const install = { imagePath, apply: ["--server-side", `--filename=${manifest}`] };
    return startKubeletEnvironment({ env, stream, install });
  },
});
