/** The mutating admission behind a real API server: what it stores, and what kubectl shows of refusals and warnings. */
import type { Operation } from "fast-json-patch";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { mutate } from "../../src/server/admission/mutate.ts";
import { list, record, text, textMap } from "../../src/shared/json.ts";
import {
  ANNOTATION,
  INJECTED_ANNOTATION,
  LEASE_LABEL,
  PROPAGATED_ANNOTATION,
} from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import {
  container,
  containersOf,
  cronJob,
  job,
  LABELLED,
  limitRange,
  type Marks,
  metadataOf,
  NAMESPACES,
  narrowRange,
  pod,
  podSpec,
  quota,
  templateOf,
} from "./admission-objects.ts";
import { type AdmissionServer, CONTEXT, startAdmission, WEBHOOKS_NAME } from "./admission-server.ts";
import { kubectlOf } from "./kubectl.ts";
import { startOtherWebhook } from "./other-webhook.ts";

const kubectl = kubectlOf(inject("cluster"));

let server: AdmissionServer | undefined;

beforeAll(async () => {
  server = await startAdmission(Object.values(NAMESPACES));
  await Promise.all(Object.values(NAMESPACES).map(createNamespace));
  await kubectl.withObject(quota(), "create");
  await kubectl.withObject(limitRange(), "create");
  await kubectl.withObject(narrowRange(), "create");
  await kubectl.withObject(server.configuration, "create");
  await waitFor({
    what: "the API server to call our webhook",
    withinMs: 30_000,
    holds: async () => "konductor-gate" in (await dryRun(pod("probe"))),
  });
});

afterAll(async () => {
  await kubectl("delete", `mutatingwebhookconfiguration/${WEBHOOKS_NAME}`, "--ignore-not-found");
  await kubectl("delete", "namespace", ...Object.values(NAMESPACES), "--ignore-not-found", "--wait=false");
  await server?.stop();
});

async function createNamespace(name: string): Promise<void> {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await kubectl.withObject({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }, "create");
  await waitFor({
    what: `the default account of ${name}`,
    withinMs: 30_000,
    holds: () => kubectl("get", "serviceaccount/default", `--namespace=${name}`).then(Boolean, () => false),
  });
}

async function send(object: unknown, ...args: string[]): Promise<Record<string, unknown>> {
  const stored: unknown = JSON.parse(await kubectl.withObject(object, ...args, "--output=json"));
  return record(stored);
}

async function read(resource: string, namespace = NAMESPACES.restricted): Promise<Record<string, unknown>> {
  const stored: unknown = JSON.parse(
    await kubectl("get", resource, `--namespace=${namespace}`, "--output=json"),
  );
  return record(stored);
}

/** The containers, by name, that creating `object` would store, by a dry run. */
async function dryRun(object: object): Promise<Record<string, unknown>> {
  return containersOf(await send(object, "create", "--dry-run=server"));
}

describe("beside a webhook that makes images be pulled from a mirror, and always, as the plugin AlwaysPullImages requires", () => {
  const MIRROR = "mirror.example.com/cache";
  const imagesOf = (stored: Record<string, unknown>) =>
    Object.values(containersOf(stored)).map((each) => text(record(each)["image"]));
  /** Patches the images that are not rewritten yet. */
  function toMirror(object: Record<string, unknown>) {
    const spec = record(object["spec"]);
    return ["initContainers", "containers"].flatMap((field) =>
      list(spec[field]).flatMap((each, index): Operation[] => {
        const image = text(record(each)["image"]) ?? "";
        if (image.startsWith(MIRROR)) return [];
        const path = `/spec/${field}/${index}`;
        return [
          { op: "replace", path: `${path}/image`, value: `${MIRROR}/${image}` },
          { op: "add", path: `${path}/imagePullPolicy`, value: "Always" },
        ];
      }),
    );
  }

  // If called before ours, the webhook sees our containers only when it is called again.
  test.each([
    ["after ours", "zz-mirror", "Never"],
    ["after ours, and again", "zz-mirror", "IfNeeded"],
    ["before ours, and again", "aa-mirror", "IfNeeded"],
  ] as const)("keeps what that webhook wrote when called %s", async (_, name, reinvocationPolicy) => {
    const label = `${name}-${reinvocationPolicy}`.toLowerCase();
    const stop = await startOtherWebhook(kubectl, {
      ...{ name, reinvocationPolicy, change: toMirror },
      matchLabels: { mirrored: label },
    });
    onTestFinished(stop);
    const labels = { ...LABELLED, mirrored: label };
    await waitFor({
      what: "the mirror's webhook to be called",
      withinMs: 30_000,
      async holds() {
        const plain = await send(pod("plain", { labels: { mirrored: label } }), "create", "--dry-run=server");
        return imagesOf(plain).every((image) => image?.startsWith(MIRROR));
      },
    });
    const stored = await send(pod("mirrored", { labels }), "create", "--dry-run=server");
    const { image } = CONTEXT.injection();
    expect(imagesOf(stored)).toEqual([
      ...Array(2).fill(`${MIRROR}/${image}`),
      ...Array(3).fill(`${MIRROR}/busybox:1`),
    ]);
    expect(Object.values(containersOf(stored)).map((each) => record(each)["imagePullPolicy"])).toEqual(
      Array(5).fill("Always"),
    );
  });
});

describe("a labelled pod", () => {
  test("has the user's containers exactly as without konductor, after konductor's own", async () => {
    const plain = containersOf(await send(pod("plain", {}), "create"));
    const stored = await send(pod("labelled"), "create");
    const { "konductor-gate": gate, "konductor-keeper": keeper, ...user } = containersOf(stored);
    expect(user).toEqual(plain);
    expect(gate).toBeDefined();
    expect(keeper).toMatchObject({ restartPolicyRules: [{ action: "RestartAllContainers" }] });
    expect(Object.keys(containersOf(stored)).slice(0, 3)).toEqual([
      "konductor-gate",
      "konductor-keeper",
      "setup",
    ]);
    expect(textMap(metadataOf(stored)["annotations"])).toEqual({
      [INJECTED_ANNOTATION]: "test",
      "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "konductor-state,konductor-trust",
    });
  });

  test("is unchanged by a second pass over what the API server stores", async () => {
    const object = await send(pod("stored"), "create");
    const request = {
      uid: "u",
      kind: "/Pod",
      subResource: "",
      operation: "CREATE",
      username: "admin",
      isDryRun: false,
      oldObject: undefined,
    };
    expect(mutate({ ...request, namespace: NAMESPACES.restricted, object }, CONTEXT)).toEqual({
      uid: "u",
      allowed: true,
    });
  });

  test("can be tried by a dry run, which stores nothing", async () => {
    expect(await dryRun(pod("dry"))).toHaveProperty("konductor-gate");
    await expect(read("pod/dry")).rejects.toThrow('pods "dry" not found');
  });

  test.each([
    ["Guaranteed", { cpu: "1", memory: "64Mi" }],
    ["Burstable", { cpu: "1", memory: "128Mi" }],
  ])("passes a quota and stays %s", async (qosClass, limits) => {
    const resources = { limits, requests: { cpu: "1", memory: "64Mi" } };
    const spec = { initContainers: [], containers: [container("main", { resources })] };
    const name = qosClass.toLowerCase();
    const stored = await send(pod(name, { labels: LABELLED }, spec, NAMESPACES.quota), "create");
    expect(record(stored["status"])["qosClass"]).toBe(qosClass);
  });

  test("passes a LimitRange that admits neither konductor's own resources nor less", async () => {
    const stored = await send(pod("labelled", { labels: LABELLED }, {}, NAMESPACES.narrow), "create");
    // The LimitRange's defaults make the pod Guaranteed.
    const most = { cpu: "100m", memory: `${100 * 2 ** 20}` };
    expect(containersOf(stored)["konductor-keeper"]).toMatchObject({
      resources: { requests: most, limits: most },
    });
  });

  test("passes a LimitRange and keeps the QoS class that it results in", async () => {
    const plain = await send(pod("plain", {}, {}, NAMESPACES.range), "create");
    const stored = await send(pod("labelled", { labels: LABELLED }, {}, NAMESPACES.range), "create");
    expect(record(stored["status"])["qosClass"]).toBe(record(plain["status"])["qosClass"]);
    expect(containersOf(stored)).toMatchObject(containersOf(plain));
  });
});

describe("a label on an owner", () => {
  test("is copied from a Job to its pods, which are injected", async () => {
    const annotations = { [ANNOTATION.ttl]: "2m", "example.org/note": "mine" };
    const stored = await send(job("down", { labels: LABELLED, annotations }), "create");
    expect(textMap(templateOf(stored)["labels"])).toMatchObject(LABELLED);
    expect(textMap(templateOf(stored)["annotations"])).toEqual({ [ANNOTATION.ttl]: "2m" });
    const pods = () =>
      kubectl(
        "get",
        "pods",
        `--namespace=${NAMESPACES.restricted}`,
        "--selector=job-name=down",
        "--output=name",
      );
    await waitFor({ what: "the Job's pod", withinMs: 30_000, holds: async () => (await pods()) !== "" });
    expect(containersOf(await read((await pods()).trim()))).toHaveProperty("konductor-keeper");
  });

  test.each([
    ["client-side", []],
    ["server-side", ["--server-side"]],
  ])("lets a Job be applied again unchanged: %s", async (name, args) => {
    const object = job(`again-${name}`, { labels: LABELLED, annotations: { [ANNOTATION.priority]: "3" } });
    const first = await send(object, "apply", ...args);
    const second = await send(object, "apply", ...args, "--warnings-as-errors");
    expect(second["spec"]).toEqual(first["spec"]);
    expect(metadataOf(second)["annotations"]).toEqual(metadataOf(first)["annotations"]);
    expect(textMap(templateOf(second)["labels"])).toMatchObject(LABELLED);
  });

  test("comes too late for an existing Job, with a warning", async () => {
    await send(job("late", {}), "create");
    const command = ["label", "job/late", `--namespace=${NAMESPACES.restricted}`, `${LEASE_LABEL}=nightly`];
    await expect(kubectl(...command, "--warnings-as-errors")).rejects.toThrow(
      `Warning: ${LEASE_LABEL} was changed, but konductor reads the Job's pod template`,
    );
    expect(textMap(templateOf(await read("job/late"))["labels"])).not.toHaveProperty(LEASE_LABEL);
  });

  test("keeps what the template of a Job says that waits as a whole, even if both labels are removed", async () => {
    await send(job("queued", { labels: LABELLED, annotations: { [ANNOTATION.gate]: "job" } }), "create");
    const unlabelled = { labels: { [LEASE_LABEL]: null } };
    const patches = [
      { spec: { template: { metadata: { annotations: { [ANNOTATION.gate]: null } } } } },
      { metadata: unlabelled, spec: { template: { metadata: unlabelled } } },
    ];
    for (const patch of patches) {
      const command = ["patch", "job/queued", `--namespace=${NAMESPACES.restricted}`, "--type=merge"];
      await expect(kubectl(...command, `--patch=${JSON.stringify(patch)}`)).rejects.toThrow(
        "Job queued waits for its klease by its pod template",
      );
    }
  });

  test.each([
    ["client-side", []],
    ["server-side", ["--server-side"]],
  ])("is copied from a CronJob, and changed and removed with it: %s", async (name, args) => {
    const apply = (marks: Marks) => send(cronJob(`nightly-${name}`, marks), "apply", ...args);
    const first = await apply({ labels: LABELLED, annotations: { [ANNOTATION.ttl]: "2m" } });
    expect(templateOf(first)).toMatchObject({ labels: LABELLED, annotations: { [ANNOTATION.ttl]: "2m" } });
    const second = await apply({ labels: { [LEASE_LABEL]: "weekly" } });
    expect(textMap(templateOf(second)["labels"])).toEqual({ [LEASE_LABEL]: "weekly" });
    expect(textMap(templateOf(second)["annotations"])).toEqual({});
    const third = await apply({});
    expect(textMap(templateOf(third)["labels"])).toEqual({});
    expect(textMap(metadataOf(third)["annotations"])).not.toHaveProperty(PROPAGATED_ANNOTATION);
  });

  test.each([
    ["client-side", []],
    ["server-side", ["--server-side"]],
  ])("stays in a CronJob's template when the user moves it there: %s", async (name, args) => {
    await send(cronJob(`moved-${name}`, { labels: LABELLED }), "apply", ...args);
    const moved = await send(cronJob(`moved-${name}`, {}, { labels: LABELLED }), "apply", ...args);
    expect(templateOf(moved)).toMatchObject({ labels: LABELLED });
  });

  test("has no effect on a Deployment, with a warning", async () => {
    const spec = {
      replicas: 0,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: podSpec() },
    };
    const metadata = { name: "web", namespace: NAMESPACES.restricted, labels: LABELLED };
    const object = { apiVersion: "apps/v1", kind: "Deployment", metadata, spec };
    await expect(kubectl.withObject(object, "create", "--warnings-as-errors")).rejects.toThrow(
      `has no effect on a Deployment: put it on its pods, spec.template.metadata.labels[${LEASE_LABEL}]`,
    );
  });
});

describe("kubectl shows", () => {
  const annotated = (name: string, value: string) => ({
    labels: LABELLED,
    annotations: { [`konductor.io/${name}`]: value },
  });

  test.each<[string, object, string]>([
    [
      "a bad ttl",
      pod("bad", annotated("ttl", "10")),
      'metadata.annotations[konductor.io/ttl]: Invalid value: "10": a Go duration such as "10m" of at least 15s is allowed',
    ],
    ["a misspelt annotation", pod("bad", annotated("tll", "10m")), "did you mean konductor.io/ttl?"],
    [
      "a bad lease name",
      pod("bad", { labels: { [LEASE_LABEL]: "My_Lease" } }),
      '[konductor.io/lease]: Invalid value: "My_Lease"',
    ],
    [
      "a pod that waits for a Job which it has not",
      pod("bad", annotated("gate", "job")),
      "only a Job can wait as a whole; init or scheduling is allowed",
    ],
    [
      "a name clash",
      pod("bad", { labels: LABELLED }, { initContainers: [container("konductor-gate")] }),
      'spec.initContainers[0].name: Invalid value: "konductor-gate": the name is konductor\'s own',
    ],
    [
      "a CronJob's mistake",
      cronJob("bad", annotated("renew", "no")),
      "metadata.annotations[konductor.io/renew]: Invalid value",
    ],
  ])("%s in one sentence", async (_name, object, sentence) => {
    await expect(kubectl.withObject(object, "create")).rejects.toThrow(sentence);
  });

  test("Windows pods refused", async () => {
    const spec = {
      os: { name: "windows" },
      initContainers: [],
      containers: [{ name: "main", image: "none" }],
    };
    await expect(kubectl.withObject(pod("bad", { labels: LABELLED }, spec), "create")).rejects.toThrow(
      'spec.os.name: Invalid value: "windows": only Linux pods',
    );
  });

  test.each<[string, object, string]>([
    [
      "a Lease that will be created",
      pod("fresh", { labels: { [LEASE_LABEL]: "fresh" } }),
      `klease fresh does not exist in namespace ${NAMESPACES.restricted}; it will be created with ttl 10m`,
    ],
    [
      "a deadline",
      pod("deadline", undefined, { activeDeadlineSeconds: 60 }),
      "waiting for the klease counts against these 60s",
    ],
    [
      "a pod that cannot fence itself",
      pod("slow", annotated("ttl", "1m")),
      "konductor.io/ttl of at least 1m14s avoids that",
    ],
  ])("a warning for %s", async (_name, object, sentence) => {
    const creation = kubectl.withObject(object, "create", "--dry-run=server", "--warnings-as-errors");
    await expect(creation).rejects.toThrow(sentence);
  });
});
