import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { list, record, text } from "../../../src/shared/json.ts";
import { GATE_BOOT } from "../../../src/shared/names.ts";
import { trialManifest } from "../../../tools/trial/trial-manifest.ts";
import { compressed, type TrialPrograms } from "../../../tools/trial/trial-programs.ts";
import { startNode } from "../gate/bundle.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** What the tool changes, and something else. */
const FILES = ["deploy/deployment.yaml", "deploy/service.yaml", "webhook-config/pods.yaml"];
const RENDERED = (await Promise.all(FILES.map((path) => readFile(join(ROOT, path), "utf8")))).join("---\n");

const SERVER = `import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  process.on("SIGTERM", () => process.exit(7));
  console.log(process.argv.slice(2).join(" "), typeof require("node:fs"));
  await new Promise(() => setInterval(() => {}, 1e6));`;

const programs = (source = SERVER): TrialPrograms => ({
  server: compressed(Buffer.from(source)),
  gate: compressed(Buffer.from("run()")),
});

function objectsOf(manifest: string) {
  const objects = parseAllDocuments(manifest).map((document) => record(document.toJS()));
  return (kind: string, name: string) => {
    const found = objects.find((each) => each["kind"] === kind && record(each["metadata"])["name"] === name);
    if (!found) throw new Error(`there is no ${kind} ${name}`);
    return found;
  };
}

const podSpecOf = (deployment: Record<string, unknown>) =>
  record(record(record(deployment["spec"])["template"])["spec"]);
const containerOf = (deployment: Record<string, unknown>) =>
  record(list(podSpecOf(deployment)["containers"])[0]);

test("konductor and what it injects run the public image, with the programs of the manifest", () => {
  const object = objectsOf(trialManifest(RENDERED, programs()));
  const program = programs().gate.toString("base64");
  expect(object("ConfigMap", "konductor-injection")).toMatchObject({
    data: { image: "node:24-slim", mirrors: "", boot: GATE_BOOT, program },
  });
  expect(object("ConfigMap", "konductor-trial")).toMatchObject({
    metadata: { namespace: "konductor-system" },
    binaryData: { "konductor.mjs.br": programs().server.toString("base64") },
  });
  const container = containerOf(object("Deployment", "konductor"));
  expect(container).toMatchObject({
    image: "node:24-slim",
    env: expect.arrayContaining([{ name: "KONDUCTOR_IMAGE", value: "node:24-slim" }]),
    securityContext: { readOnlyRootFilesystem: true },
  });
  expect(text(list(container["command"])[2])).not.toContain("$(");
});

test("everything else is what deploy/ has", () => {
  const [trial, deploy] = [objectsOf(trialManifest(RENDERED, programs())), objectsOf(RENDERED)];
  for (const [kind, name] of [
    ["Service", "konductor"],
    ["ValidatingAdmissionPolicy", "konductor-pods"],
  ] as const)
    expect(trial(kind, name)).toEqual(deploy(kind, name));
  const own = new Set(["image", "command", "args", "env", "volumeMounts"]);
  const others = (deployment: Record<string, unknown>) =>
    Object.entries(containerOf(deployment)).filter(([key]) => !own.has(key));
  const [ours, theirs] = [trial("Deployment", "konductor"), deploy("Deployment", "konductor")];
  expect(others(ours)).toEqual(others(theirs));
  const { volumes: _, containers: __, ...rest } = podSpecOf(ours);
  expect({ ...rest, containers: podSpecOf(theirs)["containers"] }).toEqual(podSpecOf(theirs));
});

test("other programs bring new pods", () => {
  const annotations = (source?: string) => {
    const deployment = objectsOf(trialManifest(RENDERED, programs(source)))("Deployment", "konductor");
    return record(record(record(record(deployment["spec"])["template"])["metadata"])["annotations"]);
  };
  expect(annotations()).toEqual(annotations());
  expect(annotations()).not.toEqual(annotations("run()"));
});

test("the container's command becomes the server: with its flags, its own path, and the kubelet's SIGTERM", async () => {
  const dir = await mkdtemp(join(tmpdir(), "konductor-trial-"));
  try {
    const { command, args } = containerOf(
      objectsOf(trialManifest(RENDERED, programs()))("Deployment", "konductor"),
    );
    await writeFile(join(dir, "konductor.mjs.br"), programs().server);
    // There are no volumes here.
    const boot = String(list(command)[2]).replaceAll(/"\/(konductor|trial)\//g, `"${dir}/`);
    const child = startNode(["-e", boot, ...list(args).map(String)], {});
    await expect.poll(() => child.output()).toContain("serve --node-path=/usr/local/bin/node");
    expect(child.output()).toContain("--image-architecture=arm64");
    expect(child.output()).toMatch(/ object\n$/);
    child.kill("SIGTERM");
    expect(await child.exit).toBe(7);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("a server that no ConfigMap holds is an error, as is a manifest without what is changed", () => {
  const large = { ...programs(), server: Buffer.alloc(2 ** 20 + 1) };
  expect(() => trialManifest(RENDERED, large)).toThrow("1048577 bytes compressed");
  expect(() => trialManifest("kind: Service\n", programs())).toThrow(
    "have no ConfigMap konductor-injection, Deployment konductor",
  );
});
