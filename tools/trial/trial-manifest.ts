/**
 * konductor's manifests, changed so that its pods and the injected containers run a public image of Node.js: the server's bundle comes from
 * a ConfigMap, the gate's from its containers' environment.
 */
import { createHash } from "node:crypto";
import { parseAllDocuments, stringify } from "yaml";
import { list, record } from "../../src/shared/json.ts";
import { GATE_BOOT, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type { TrialPrograms } from "./trial-programs.ts";

/** Debian's Node.js in its smallest form, for four architectures. It gets Node's security fixes under the same tag. */
export const TRIAL_IMAGE = "node:24-slim";
const ARCHITECTURES = ["amd64", "arm64", "ppc64le", "s390x"];
const NODE = "/usr/local/bin/node";

/** ValidateConfigMap of k8s.io/kubernetes: the bytes of all values, decoded. */
const CONFIG_MAP_BYTES = 2 ** 20;
const CONFIG_MAP = "konductor-trial";
const BUNDLE = "konductor.mjs.br";

const PATHS = { trial: "/trial", injection: "/injection", run: "/konductor" } as const;
const SERVER = `${PATHS.run}/konductor.mjs`;
/** Becomes the server in the same process, which gets the kubelet's signals. The bundle asks for its own path, so it needs a file. */
const SERVER_BOOT =
  `const fs=require("fs");fs.writeFileSync("${SERVER}",require("zlib").brotliDecompressSync(fs.readFileSync("${PATHS.trial}/${BUNDLE}")));` +
  `process.argv.splice(1,0,"${SERVER}");import("${SERVER}")`;

type Fields = Record<string, unknown>;

/** The manifest as YAML. Throws if `rendered`, konductor's objects as YAML, lacks one that it changes, or if the ConfigMap would be too large. */
export function trialManifest(rendered: string, programs: TrialPrograms): string {
  if (programs.server.length > CONFIG_MAP_BYTES)
    throw new Error(
      `the server has ${programs.server.length} bytes compressed, and a ConfigMap holds ${CONFIG_MAP_BYTES}: build it smaller, with isTiny`,
    );
  const objects = parseAllDocuments(rendered).map((document) => record(document.toJS()));
  const changed = new Set<string>();
  const all = objects.flatMap((object) => {
    const { name } = record(object["metadata"]);
    const change = CHANGES[`${object["kind"]} ${name}`];
    if (change) changed.add(`${object["kind"]} ${name}`);
    return change ? change(object, programs) : [object];
  });
  const missing = Object.keys(CHANGES).filter((name) => !changed.has(name));
  if (missing.length > 0) throw new Error(`the manifests of konductor have no ${missing.join(", ")}`);
  return all.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

const CHANGES: Readonly<Record<string, (object: Fields, programs: TrialPrograms) => Fields[]>> = {
  "ConfigMap konductor-injection": (object, { gate }) => [
    {
      ...object,
      data: {
        ...record(object["data"]),
        image: TRIAL_IMAGE,
        boot: GATE_BOOT,
        program: gate.toString("base64"),
      },
    },
  ],
  "Deployment konductor": (object, programs) => [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: CONFIG_MAP,
        namespace: SYSTEM_NAMESPACE,
        labels: record(record(object["metadata"])["labels"]),
      },
      binaryData: { [BUNDLE]: programs.server.toString("base64") },
    },
    withTrialPods(object, programs),
  ],
};

function withTrialPods(deployment: Fields, programs: TrialPrograms): Fields {
  const spec = record(deployment["spec"]);
  const template = record(spec["template"]);
  const metadata = record(template["metadata"]);
  const podSpec = record(template["spec"]);
  const volumes = [
    { name: "trial", configMap: { name: CONFIG_MAP } },
    {
      name: "injection",
      configMap: { name: "konductor-injection", items: [{ key: "program", path: "program" }] },
    },
    { name: "run", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
  ];
  // So that another version's programs bring new pods.
  const annotations = { ...record(metadata["annotations"]), "konductor.io/trial": digest(programs) };
  return {
    ...deployment,
    spec: {
      ...spec,
      template: {
        ...template,
        metadata: { ...metadata, annotations },
        spec: {
          ...podSpec,
          containers: list(podSpec["containers"]).map(record).map(trialContainer),
          volumes,
        },
      },
    },
  };
}

function trialContainer(container: Fields): Fields {
  const env = list(container["env"]).map(record);
  return {
    ...container,
    image: TRIAL_IMAGE,
    command: [NODE, "-e", SERVER_BOOT],
    args: [
      "serve",
      `--node-path=${NODE}`,
      `--gate-program=${PATHS.injection}/program`,
      ...ARCHITECTURES.map((name) => `--image-architecture=${name}`),
    ],
    env: [
      { name: "NODE_ENV", value: "production" },
      ...env.map((each) => (each["name"] === "KONDUCTOR_IMAGE" ? { ...each, value: TRIAL_IMAGE } : each)),
    ],
    volumeMounts: [
      { name: "trial", mountPath: PATHS.trial, readOnly: true },
      { name: "injection", mountPath: PATHS.injection, readOnly: true },
      { name: "run", mountPath: PATHS.run },
    ],
  };
}

function digest({ server, gate }: TrialPrograms): string {
  return createHash("sha256").update(server).update(gate).digest("hex").slice(0, 16);
}
