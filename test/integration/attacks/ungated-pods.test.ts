/**
 * The attacker may create pods in one namespace (ClusterRole edit), or a cluster admin has made a mistake: konductor's webhook is missing, or another
 * webhook runs after it. The API server alone refuses a labelled pod that would run without its Lease.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { ownVolumes } from "../../../src/server/admission/containers.ts";
import { list, parseJson, record, text } from "../../../src/shared/json.ts";
import { GATE_CONTAINER, IMAGE_PROGRAMS, KEEPER_CONTAINER, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { type Stage, startStage } from "../admission-clients.ts";
import { CONTEXT, WEBHOOKS_NAME } from "../admission-server.ts";
import { startOtherWebhook } from "../other-webhook.ts";

const POLICY = join(import.meta.dirname, "../../../webhook-config/pods.yaml");
const UNGATED = "label konductor.io/lease asks for a gate";
const { image } = CONTEXT.injection();

type Container = Record<string, unknown>;
type Change = (containers: Container[]) => Container[];

let stage: Stage;
/** The init containers that konductor injects before the user's own. */
let injected: Container[];

const podOf = (initContainers: Container[], lease = "nightly") => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "pod-", labels: { [LEASE_LABEL]: lease } },
  spec: { initContainers, containers: [{ name: "main", image: "none" }], volumes: volumes() },
});
/** The volumes that the injected containers mount. */
const volumes = () => ownVolumes(false).map(({ name }) => ({ name, emptyDir: {} }));
const create = (pod: object, ...args: string[]) => stage.send(pod, "create", "--as=alice", ...args);

/** `containers` with `change` applied to the container of that name. */
const having =
  (name: string, change: object): Change =>
  (containers) =>
    containers.map((container) => (container["name"] === name ? { ...container, ...change } : container));
const inBoth =
  (change: object): Change =>
  (containers) =>
    [GATE_CONTAINER, KEEPER_CONTAINER].reduce((changed, name) => having(name, change)(changed), containers);
const before =
  (container: Container): Change =>
  (containers) => [container, ...containers];

async function allow(data: Record<string, string>): Promise<void> {
  const patch = `--patch=${JSON.stringify({ data })}`;
  await stage.kubectl(
    "patch",
    "configmap/konductor-injection",
    "--namespace=konductor-system",
    "--type=merge",
    patch,
  );
}

beforeAll(async () => {
  stage = await startStage(inject("cluster"));
  const setup = { name: "setup", image: "none" };
  const { spec, ...pod } = podOf([setup]);
  const asked = { ...pod, spec: { ...spec, volumes: [] } };
  const stored = parseJson(await create(asked, "--dry-run=server", "--output=json"));
  injected = list(record(record(stored)["spec"])["initContainers"]).map((container) => {
    // What the API server's own admission adds to a container is added again by itself.
    const { volumeMounts, ...rest } = record(container);
    const mounts = list(volumeMounts).filter(
      (mount) => !text(record(mount)["name"])?.startsWith("kube-api-access"),
    );
    return { ...rest, volumeMounts: mounts };
  });
  await stage.kubectl("apply", `--filename=${POLICY}`);
  await allow({ image });
  await stage.kubectl("delete", `mutatingwebhookconfiguration/${WEBHOOKS_NAME}`);
  await waitFor({
    what: "the policy to be in force without konductor's webhook",
    withinMs: 30_000,
    async holds() {
      await expect(create(podOf([setup]))).rejects.toThrow(UNGATED);
      await create(podOf(injected));
      const other = ["label", "pods", "--all", `${LEASE_LABEL}=other`, "--overwrite", "--namespace=team"];
      await expect(stage.kubectl(...other)).rejects.toThrow("cannot change");
      return true;
    },
  });
});
afterAll(() => stage?.stop());

test.each<[string, Change]>([
  ["without its gate", (containers) => containers.slice(1)],
  ["without its keeper", (containers) => containers.toSpliced(1, 1)],
  ["whose keeper comes later", ([gate = {}, keeper = {}, setup = {}]) => [gate, setup, keeper]],
  ["whose gate is a sidecar", having(GATE_CONTAINER, { restartPolicy: "Always" })],
  [
    "whose gate is told of two Leases",
    having(GATE_CONTAINER, {
      env: ["nightly", "free"].map((value) => ({ name: "KONDUCTOR_LEASE", value })),
    }),
  ],
  [
    "whose keeper is no sidecar",
    having(KEEPER_CONTAINER, {
      restartPolicy: undefined,
      lifecycle: undefined,
      restartPolicyRules: undefined,
    }),
  ],
  ["with another program", having(GATE_CONTAINER, { command: ["/data/node", "/konductor/gate.js"] })],
  ["with another argument", having(GATE_CONTAINER, { args: ["--version"] })],
  [
    "whose gate waits for another Lease",
    having(GATE_CONTAINER, { env: [{ name: "KONDUCTOR_LEASE", value: "free" }] }),
  ],
  ["whose gate does not say what it waits for", having(GATE_CONTAINER, { env: [] })],
])("a pod %s is refused", async (_, change) => {
  await expect(create(podOf(change(injected)))).rejects.toThrow(UNGATED);
});

test.each(IMAGE_PROGRAMS)("a pod whose gate is started by %s is admitted", async (...command) => {
  await create(podOf(inBoth({ command })(injected)));
});

test.each([GATE_CONTAINER, KEEPER_CONTAINER])(
  "a pod whose %s runs something else first is refused",
  async (name) => {
    const env = (containers: Container[]) => list(containers.find((each) => each["name"] === name)?.["env"]);
    const traced = { name: "NODE_OPTIONS", value: "--require /otel/autoinstrumentation.js" };
    const changed = having(name, { env: [...env(injected), traced] })(injected);
    const fromElsewhere = having(name, { envFrom: [{ configMapRef: { name: "traced" } }] })(injected);
    await expect(create(podOf(fromElsewhere))).rejects.toThrow("or variables from elsewhere");
    await expect(create(podOf(changed))).rejects.toThrow(
      "has given konductor-gate or konductor-keeper the variable NODE_OPTIONS",
    );
  },
);

test("a pod with a container before its gate is refused, unless it is a mesh's", async () => {
  const first = (name: string) => podOf(before({ name, image: "none" })(injected));
  await expect(create(first("early"))).rejects.toThrow("would run without the Lease");
  await create(first("istio-init"));
});

test("a gate with another image is refused, unless the image comes from a mirror that the cluster admin allows", async () => {
  const mirrored = podOf(inBoth({ image: `mirror.example.com/apps/${image}` })(injected));
  await expect(create(mirrored)).rejects.toThrow("under mirrors in ConfigMap konductor-injection");
  const [name] = image.split(":");
  for (const other of ["none", `${name}-evil:1`, `evil/${image}`])
    await expect(create(podOf(having(KEEPER_CONTAINER, { image: other })(injected)))).rejects.toThrow(
      `"${name}"`,
    );
  // During an update two versions of konductor run side by side, and other webhooks pin digests.
  for (const version of [`${name}:0.0.9`, `${image}@sha256:${"0".repeat(64)}`])
    await create(podOf(inBoth({ image: version })(injected)));
  await allow({ mirrors: "other.example.com/x mirror.example.com/apps/konductor" });
  onTestFinished(() => allow({ mirrors: "" }));
  await waitFor({
    what: "the mirror to be known",
    withinMs: 30_000,
    holds: async () => Boolean(await create(mirrored).catch(() => false)),
  });
});

test("a pod is refused if another webhook adds the label after konductor's", async () => {
  const path = `/metadata/labels/${LEASE_LABEL.replace("/", "~1")}`;
  const stop = await startOtherWebhook(stage.kubectl, {
    name: "zz-labels",
    matchLabels: { late: "true" },
    change: () => [{ op: "add", path, value: "nightly" }],
  });
  onTestFinished(stop);
  const { metadata: _, ...pod } = podOf([]);
  await waitFor({
    what: "the later webhook to be called",
    withinMs: 30_000,
    async holds() {
      const metadata = { generateName: "pod-", labels: { late: "true" } };
      await expect(create({ ...pod, metadata })).rejects.toThrow(UNGATED);
      return true;
    },
  });
});

describe("an existing pod", () => {
  const change = (patch: object) => stage.patch("pod/there", patch, "--type=strategic", "--as=ada");
  beforeAll(async () => {
    const pod = podOf(injected);
    const annotations = { "konductor.io/ttl": "1m" };
    await create({ ...pod, metadata: { name: "there", labels: pod.metadata.labels, annotations } });
    await create({ ...pod, metadata: { name: "free", labels: { app: "web" } } });
  });

  test.each<[string, object, string]>([
    [
      "its label",
      { metadata: { labels: { [LEASE_LABEL]: "other" } } },
      "metadata.labels[konductor.io/lease]",
    ],
    [
      "its label, away",
      { metadata: { labels: { [LEASE_LABEL]: null } } },
      "metadata.labels[konductor.io/lease]",
    ],
    [
      "an annotation",
      { metadata: { annotations: { "konductor.io/ttl": "1h" } } },
      "annotations of konductor.io",
    ],
    ["an annotation, away", { metadata: { annotations: { "konductor.io/ttl": null } } }, "annotations of"],
    [
      "its place in a trace",
      { metadata: { annotations: { "trace.konductor.io/traceparent": "x" } } },
      "annotations of konductor.io",
    ],
    [
      "one more",
      { metadata: { annotations: { "konductor.io/renew": "false" } } },
      "annotations of konductor.io",
    ],
    [
      "the keeper's image",
      { spec: { initContainers: [{ name: KEEPER_CONTAINER, image: "none" }] } },
      "the image of konductor-gate and konductor-keeper cannot change",
    ],
  ])("keeps what it asked for: %s", async (_, patch, message) => {
    await expect(change(patch)).rejects.toThrow(message);
  });

  test("keeps its label also against a user who may write its status", async () => {
    const patch = `--patch=${JSON.stringify({ metadata: { labels: { [LEASE_LABEL]: null } } })}`;
    const change = stage.kubectl(
      "patch",
      "pod/there",
      "--namespace=team",
      "--subresource=status",
      "--type=merge",
      patch,
    );
    await expect(change).rejects.toThrow("metadata.labels[konductor.io/lease]");
  });

  test("cannot get the label later", async () => {
    const labels = { metadata: { labels: { [LEASE_LABEL]: "nightly" } } };
    await expect(stage.patch("pod/free", labels, "--as=ada")).rejects.toThrow(
      "delete the pod and create it again",
    );
  });

  test("can be changed otherwise", async () => {
    await change({ metadata: { labels: { app: "web" }, annotations: { "example.com/note": "x" } } });
    await change({ spec: { containers: [{ name: "main", image: "other" }] } });
    await change({ metadata: { finalizers: ["example.com/mine"] } });
    await change({ metadata: { finalizers: null } });
    await stage.kubectl("delete", "pod/there", "--namespace=team", "--as=ada", "--wait=false");
  });
});

test("system namespaces work without konductor", async () => {
  await stage.kubectl.withObject(podOf([]), "create", "--namespace=kube-system");
});
