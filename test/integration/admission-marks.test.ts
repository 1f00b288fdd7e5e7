/** On a real API server: konductor's marks on new and changed objects, and containers with the name of a mesh's. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { record, textMap } from "../../src/shared/json.ts";
import {
  ANNOTATION,
  INJECTED_ANNOTATION,
  LEASE_LABEL,
  PROPAGATED_ANNOTATION,
  RESUMED_ANNOTATION,
  SUSPENDED_ANNOTATION,
} from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import {
  container,
  containersOf,
  cronJob,
  job,
  LABELLED,
  type Marks,
  metadataOf,
  pod,
  templateOf,
} from "./admission-objects.ts";
import { type AdmissionServer, CONTEXT, startAdmission } from "./admission-server.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "admission-marks";
/** A name of this file's own, because several files may share the API server. */
const WEBHOOKS_NAME = "admission-marks-test";
const AS_KONDUCTOR = [`--as=${CONTEXT.account}`, "--as-group=system:masters"];
const WHOLE = { labels: LABELLED, annotations: { [ANNOTATION.gate]: "job" } };
const FORGED = { [SUSPENDED_ANNOTATION]: "true", [RESUMED_ANNOTATION]: "41", [INJECTED_ANNOTATION]: "0.0.9" };

const kubectl = kubectlOf(inject("cluster"));
let server: AdmissionServer | undefined;

beforeAll(async () => {
  server = await startAdmission([NAMESPACE]);
  await kubectl("create", "namespace", NAMESPACE);
  await kubectl.withObject({ ...server.configuration, metadata: { name: WEBHOOKS_NAME } }, "create");
  await waitFor({
    what: "the API server to call our webhook, and the default account",
    withinMs: 30_000,
    holds: async () =>
      send(pod("probe", undefined, {}, NAMESPACE), "create", "--dry-run=server").then(
        (stored) => "konductor-gate" in containersOf(stored),
        () => false,
      ),
  });
});

afterAll(async () => {
  await kubectl("delete", `mutatingwebhookconfiguration/${WEBHOOKS_NAME}`, "--ignore-not-found");
  await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false");
  await server?.stop();
});

async function send(object: object, ...args: string[]): Promise<Record<string, unknown>> {
  const stored: unknown = JSON.parse(await kubectl.withObject(object, ...args, "--output=json"));
  return record(stored);
}

async function run(...args: string[]): Promise<Record<string, unknown>> {
  const stored: unknown = JSON.parse(await kubectl(...args, `--namespace=${NAMESPACE}`, "--output=json"));
  return record(stored);
}

const inNamespace = <T extends { metadata: object }>(object: T) => ({
  ...object,
  metadata: { ...object.metadata, namespace: NAMESPACE },
});
const annotationsOf = (object: Record<string, unknown>) => {
  const all = Object.entries(textMap(metadataOf(object)["annotations"]));
  return Object.fromEntries(all.filter(([name]) => name.startsWith("konductor.io/")));
};
const isSuspended = (object: Record<string, unknown>) => record(object["spec"])["suspend"];
const suspended = (name: string, marks: Marks, suspend: boolean) => {
  const object = inNamespace(job(name, marks));
  return { ...object, spec: { ...object.spec, suspend } };
};
const withForged = { ...WHOLE, annotations: { ...WHOLE.annotations, ...FORGED } };

describe("a Job that is created from an export", () => {
  test.each<[string, string[]]>([
    ["create", ["create"]],
    ["apply", ["apply"]],
    ["apply-server-side", ["apply", "--server-side"]],
  ])("waits anew if it ran: %s", async (name, args) => {
    const ran = suspended(`ran-${name}`, withForged, false);
    expect(annotationsOf(await send(ran, ...args, "--dry-run=server"))).toEqual({
      ...WHOLE.annotations,
      [SUSPENDED_ANNOTATION]: "true",
    });
    const stored = await send(ran, ...args);
    expect(annotationsOf(stored)).toEqual({ ...WHOLE.annotations, [SUSPENDED_ANNOTATION]: "true" });
    expect(isSuspended(stored)).toBe(true);
  });

  test.each<[string, string[]]>([
    ["create", ["create"]],
    ["apply", ["apply"]],
    ["apply-server-side", ["apply", "--server-side"]],
  ])("stays suspended if it waited, with a warning: %s", async (name, args) => {
    const waited = suspended(`waited-${name}`, withForged, true);
    await expect(send(waited, ...args, "--dry-run=server", "--warnings-as-errors")).rejects.toThrow(
      "spec.suspend: true counts as yours: the Job waits for its klease once you set it to false",
    );
    expect(annotationsOf(await send(waited, ...args))).toEqual(WHOLE.annotations);
    // After a further apply, or once resumed, the Job is like any other.
    if (args[0] === "apply") expect(annotationsOf(await send(waited, ...args))).toEqual(WHOLE.annotations);
    const resumed = await run(
      "patch",
      `job/waited-${name}`,
      "--type=merge",
      '--patch={"spec":{"suspend":false}}',
    );
    expect(annotationsOf(resumed)).toEqual({ ...WHOLE.annotations, [SUSPENDED_ANNOTATION]: "true" });
    expect(isSuspended(resumed)).toBe(true);
  });
});

test("only konductor changes a Job's marks", async () => {
  const object = inNamespace(job("marked", WHOLE));
  await send(object, "apply");
  const marks = { ...WHOLE.annotations, [SUSPENDED_ANNOTATION]: "true", [RESUMED_ANNOTATION]: "42" };
  const noted = await run("annotate", "job/marked", `${RESUMED_ANNOTATION}=42`, ...AS_KONDUCTOR);
  expect(annotationsOf(noted)).toEqual(marks);
  for (const change of [
    [`${SUSPENDED_ANNOTATION}-`, `${RESUMED_ANNOTATION}-`],
    [`${SUSPENDED_ANNOTATION}=no`, `${RESUMED_ANNOTATION}=7`, "--overwrite"],
    [`${INJECTED_ANNOTATION}=0.0.9`, `${PROPAGATED_ANNOTATION}={}`],
  ]) {
    expect(annotationsOf(await run("annotate", "job/marked", ...change))).toEqual(marks);
  }
  // This manifest has no marks.
  expect(annotationsOf(await send(object, "apply", "--warnings-as-errors"))).toEqual(marks);
  expect(annotationsOf(await send(object, "apply", "--server-side", "--force-conflicts"))).toEqual(marks);
});

test("only konductor writes a CronJob's record, at creation and later", async () => {
  const put = JSON.stringify({ labels: LABELLED, annotations: {} });
  const forged = inNamespace(
    cronJob("forged", { annotations: { [PROPAGATED_ANNOTATION]: put } }, { labels: LABELLED }),
  );
  const created = await send(forged, "create");
  expect(annotationsOf(created)).toEqual({});
  expect(textMap(templateOf(created)["labels"])).toEqual(LABELLED);

  await send(inNamespace(cronJob("ours", { labels: LABELLED })), "create");
  for (const change of [[`${PROPAGATED_ANNOTATION}={}`, "--overwrite"], [`${PROPAGATED_ANNOTATION}-`]]) {
    const changed = await run("annotate", "cronjob/ours", ...change);
    expect(annotationsOf(changed)).toEqual({ [PROPAGATED_ANNOTATION]: put });
  }
  const labelled = async (change: string) => {
    await run("label", "cronjob/ours", change, "--overwrite");
    return textMap(templateOf(await run("get", "cronjob/ours"))["labels"]);
  };
  expect(await labelled(`${LEASE_LABEL}=weekly`)).toEqual({ [LEASE_LABEL]: "weekly" });
  expect(await labelled(`${LEASE_LABEL}-`)).toEqual({});
});

describe("a container with the name of a mesh's", () => {
  const proxy = container("istio-proxy", { restartPolicy: "Always" });
  const initContainers = [proxy, container("setup")];
  const order = (stored: Record<string, unknown>) => Object.keys(containersOf(stored)).slice(0, 3);

  test("runs after the gate if it is the user's", async () => {
    const named = pod("named", undefined, { initContainers }, NAMESPACE);
    const stored = await send(named, "create", "--warnings-as-errors");
    expect(order(stored)).toEqual(["konductor-gate", "konductor-keeper", "istio-proxy"]);
  });

  test("runs before the gate if the mesh's injector added it, with a warning", async () => {
    const injected = { ...proxy, command: undefined, args: ["proxy", "sidecar", "--domain", "x"] };
    const annotations = { "sidecar.istio.io/status": '{"initContainers":["istio-proxy"]}' };
    const marks = { labels: LABELLED, annotations };
    const meshed = pod("meshed", marks, { initContainers: [injected, container("setup")] }, NAMESPACE);
    expect(order(await send(meshed, "create"))).toEqual([
      "istio-proxy",
      "konductor-gate",
      "konductor-keeper",
    ]);
    await expect(send(meshed, "create", "--dry-run=server", "--warnings-as-errors")).rejects.toThrow(
      /istio-proxy \(Istio\) may run before the pod holds klease nightly/,
    );
  });
});
