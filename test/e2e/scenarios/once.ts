/** Work that is done once (`konductor.io/once`), and the examples of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { JOBS, PODS } from "../../../src/kube/resources.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { list, record, text, textMap } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { type Journal, journalFunction, overlaps } from "../journal.ts";
import { KONCLI_IMAGE } from "../koncli-image.ts";
import { describedEvent, readLease, waitForJobs } from "../observe.ts";
import { setStage } from "../stage.ts";
import { BUSYBOX_IMAGE, job, mainScript, pod } from "../workload.ts";

const KEY = "schema-v42";
const once = { [ANNOTATION.once]: KEY };
const LEASE = "schema";
type Json = Record<string, unknown>;

/** The condition Complete of a Job; undefined while it has none. */
async function completion({ client }: Environment, namespace: string, name: string) {
  const found = record(await client.get(JOBS, { namespace, name }, (object) => object));
  const conditions = list(record(found["status"])["conditions"]).map(record);
  const complete = conditions.find(({ type, status }) => type === "Complete" && status === "True");
  return complete && { reason: text(complete["reason"]), message: text(complete["message"]) };
}

function untilComplete(environment: Environment, namespace: string, name: string): Promise<void> {
  return waitFor({
    what: `Job ${name} to be Complete`,
    withinMs: 90_000,
    holds: async () => (await completion(environment, namespace, name)) !== undefined,
  });
}

const keysOf = async (environment: Environment, namespace: string, lease = LEASE) =>
  (await readLease(environment, namespace, lease)).status.done?.map(({ key }) => key) ?? [];

/** The objects of an example, in `namespace`, with `change` made to each pod spec. */
async function example(file: string, namespace: string, change: (spec: Json) => Json): Promise<Json[]> {
  const path = join(import.meta.dirname, "../../../examples/once", file);
  return parseAllDocuments(await readFile(path, "utf8")).map((document) => {
    const object = record(document.toJS());
    const subjects = list(object["subjects"]).map((subject) => ({ ...record(subject), namespace }));
    const spec = record(object["spec"]);
    const template = record(spec["template"]);
    return {
      ...object,
      metadata: { ...record(object["metadata"]), namespace },
      ...(subjects.length > 0 && { subjects }),
      ...(object["spec"] !== undefined && {
        spec: { ...spec, template: { ...template, spec: change(record(template["spec"])) } },
      }),
    };
  });
}

/** A pod spec whose containers write into the journal, in the place of the example's program. */
function journalled(journal: Journal, spec: Json): Json {
  const containers = list(spec["containers"]).map((container) => {
    const { args: _, ...rest } = record(container);
    const workload = { namespace: "", name: "", journal, runsForSeconds: 1 };
    return {
      ...rest,
      ...{
        image: BUSYBOX_IMAGE,
        imagePullPolicy: "IfNotPresent",
        command: ["sh", "-c", mainScript(workload)],
      },
      volumeMounts: [{ name: "journal", mountPath: journal.dir }],
    };
  });
  const volumes = [{ name: "journal", hostPath: { path: journal.dir } }];
  return { ...spec, containers, volumes, terminationGracePeriodSeconds: 1 };
}

/** Applies the Job of an example as often as `times` says, each time as its tool does: deleted first, then created. */
async function runTwice(environment: Environment, file: string): Promise<void> {
  const stage = await setStage(environment, "shop-schema", { ttl: "1m" });
  const { namespace, journal } = stage;
  for (const time of [1, 2]) {
    const [migration] = await example(file, namespace, (spec) => journalled(journal, spec));
    if (!migration) throw new Error(`${file} has no Job`);
    const name = String(record(migration["metadata"])["name"]);
    await environment.kubectl("-n", namespace, "delete", "job", name, "--ignore-not-found");
    await environment.kubectl.withObject(migration, "create");
    await untilComplete(environment, namespace, name);
    expect((await completion(environment, namespace, name))?.reason === "AlreadyDone").toBe(time === 2);
    await stage.atRest();
    expect(await keysOf(environment, namespace, "shop-schema")).toEqual(["schema-v42"]);
  }
  expect(await journal.runs()).toHaveLength(1);
}

export const onceOnly: readonly Scenario[] = [
  {
    name: "once: of three Jobs with one key one runs, the two that wait meanwhile and one that comes later end Complete without having run",
    row: "work is done once",
    async run(environment) {
      const stage = await setStage(environment, LEASE, { ttl: "1m" });
      const { namespace, journal } = stage;
      const go = `${journal.path}.go`;
      const make = (name: string) =>
        environment.kubectl.withObject(
          job({ namespace, name, lease: LEASE, annotations: once, journal, runsUntil: go }),
          "create",
        );
      await make("first");
      await waitFor({
        what: "the first to work",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).length === 1,
      });
      await make("second");
      await make("third");
      await writeFile(go, "");
      for (const name of ["first", "second", "third"]) await untilComplete(environment, namespace, name);
      await make("later");
      await untilComplete(environment, namespace, "later");
      expect((await completion(environment, namespace, "first"))?.reason).not.toBe("AlreadyDone");
      for (const name of ["second", "third", "later"]) {
        const { reason, message } = (await completion(environment, namespace, name)) ?? {};
        expect(reason).toBe("AlreadyDone");
        expect(message).toMatch(/^"schema-v42" is done already: by first-\S+ at 20\S+Z, under token \d+$/);
      }
      expect(await journal.runs()).toHaveLength(1);
      const { status } = await stage.atRest();
      expect(status.history).toHaveLength(1);
      expect(status.done).toMatchObject([{ key: KEY, token: status.history[0]?.token }]);
      await describedEvent(environment, { namespace, what: "job/later", reason: "AlreadyDone" });
    },
  },
  {
    name: "once: a run that failed, and one that ended with 0 because it was deleted, have not done the work: the next one does it",
    row: "work is done once",
    async run(environment) {
      const stage = await setStage(environment, LEASE, { ttl: "1m" });
      const { namespace, journal } = stage;
      const workload = { namespace, lease: LEASE, annotations: once, journal };
      await environment.kubectl.withObject(
        job({ ...workload, name: "fails", runsForSeconds: 1, exitCode: 1 }),
        "create",
      );
      expect((await waitForJobs(environment, namespace)).failed).toEqual(["fails"]);
      await stage.atRest();
      expect(await keysOf(environment, namespace)).toEqual([]);
      const script = [
        journalFunction(journal.path),
        "trap 'j end; exit 0' TERM",
        "j start",
        "while :; do sleep 0.1 & wait $!; done",
      ];
      await environment.kubectl.withObject(
        job({ ...workload, name: "deleted", container: { command: ["sh", "-c", script.join("\n")] } }),
        "create",
      );
      await waitFor({
        what: "the second to work",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).length === 2,
      });
      await environment.kubectl("-n", namespace, "delete", "job", "deleted");
      await stage.atRest();
      expect(await keysOf(environment, namespace)).toEqual([]);
      await environment.kubectl.withObject(job({ ...workload, name: "works", runsForSeconds: 1 }), "create");
      await untilComplete(environment, namespace, "works");
      await stage.atRest();
      expect(await keysOf(environment, namespace)).toEqual([KEY]);
      expect(overlaps(await journal.runs())).toEqual([]);
    },
  },
  {
    name: "once: work that ends while no konductor runs is noted by the next one, by the pod's status",
    home: "process",
    locks: ["konductor"],
    async run(environment) {
      const stage = await setStage(environment, LEASE, { ttl: "2m" });
      const { namespace, journal } = stage;
      const workload = { namespace, lease: LEASE, annotations: once, journal };
      await environment.kubectl.withObject(job({ ...workload, name: "first", runsForSeconds: 4 }), "create");
      await waitFor({
        what: "the first to work",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).length === 1,
      });
      await environment.konductor.stop();
      try {
        await untilComplete(environment, namespace, "first");
      } finally {
        await environment.konductor.start();
      }
      await stage.atRest(90_000);
      expect(await keysOf(environment, namespace)).toEqual([KEY]);
      await environment.kubectl.withObject(job({ ...workload, name: "again", runsForSeconds: 1 }), "create");
      await untilComplete(environment, namespace, "again");
      expect((await completion(environment, namespace, "again"))?.reason).toBe("AlreadyDone");
      expect(await journal.runs()).toHaveLength(1);
    },
  },
  {
    name: "once: a pod, a Deployment and a Job of several pods that do not wait as a whole are refused in one sentence each",
    async run(environment) {
      const stage = await setStage(environment, LEASE, { ttl: "1m" });
      const { namespace, journal } = stage;
      const workload = { namespace, name: "wrong", lease: LEASE, annotations: once, journal };
      const refused = (object: object) =>
        environment.kubectl.withObject(object, "create").then(
          () => "allowed",
          (error: unknown) => String(error),
        );
      const { metadata, spec } = pod(workload);
      const labels = { [LEASE_LABEL]: LEASE, app: "wrong" };
      const deployment = {
        ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace, name: "wrong" } },
        spec: {
          selector: { matchLabels: { app: "wrong" } },
          template: {
            metadata: { labels, annotations: textMap(metadata.annotations) },
            spec: { ...spec, restartPolicy: "Always" },
          },
        },
      };
      for (const object of [pod(workload), deployment])
        expect(await refused(object)).toContain("in an init container, by koncli lease exec --once");
      expect(await refused(job(workload, { completions: 2 }))).toContain(
        'spec.completions: Invalid value: 2: with konductor.io/once a Job of more than one pod needs konductor.io/gate "job"',
      );
    },
  },
  {
    name: "once: examples/once: a migration by a Helm hook is done once for each release",
    run: (environment) => runTwice(environment, "helm-migration.yaml"),
  },
  {
    name: "once: examples/once: a migration by an Argo CD hook is done once for each release",
    run: (environment) => runTwice(environment, "argo-cd-migration.yaml"),
  },
  {
    name: "once: examples/once: a Job of eight parts seeds a database once",
    async run(environment) {
      const stage = await setStage(environment, "shop-schema", { ttl: "1m" });
      const { namespace, journal } = stage;
      for (const name of ["seed-1", "seed-2"]) {
        const [seed] = await example("seed-job.yaml", namespace, (spec) => journalled(journal, spec));
        const { generateName: _, ...metadata } = record(seed?.["metadata"]);
        await environment.kubectl.withObject({ ...seed, metadata: { ...metadata, name } }, "create");
        await untilComplete(environment, namespace, name);
        await stage.atRest();
      }
      expect((await completion(environment, namespace, "seed-2"))?.reason).toBe("AlreadyDone");
      expect(await journal.runs()).toHaveLength(8);
    },
  },
  {
    name: "once: examples/once: of three replicas one migrates in its init container, the others wait, and all three start",
    needsKubelet: "koncli's image, a mounted account token and the Service of the API server",
    async run(environment) {
      const { client, kubectl } = environment;
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-init`);
      const volumeMounts = [{ name: "journal", mountPath: journal.dir }];
      const image = { image: KONCLI_IMAGE, imagePullPolicy: "IfNotPresent" };
      const script = [journalFunction(journal.path), "j start", "sleep 2", "j end"].join("\n");
      const items = await example("init-container.yaml", namespace, (spec) => ({
        ...spec,
        terminationGracePeriodSeconds: 1,
        initContainers: list(spec["initContainers"]).map((container) => {
          const { command, ...rest } = record(container);
          // In the place of ./migrate.
          const words = list(command).slice(0, -1);
          return { ...rest, ...image, command: [...words, "sh", "-c", script], volumeMounts };
        }),
        containers: [{ name: "shop", ...image, command: ["sleep", "1000"] }],
        volumes: [{ name: "journal", hostPath: { path: journal.dir } }],
      }));
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "create");
      await waitFor({
        what: "all three replicas to run",
        withinMs: 120_000,
        holds: async () => {
          const { items: pods } = await client.list(PODS, { namespace }, parsePod);
          return pods.filter(({ phase }) => phase === "Running").length === 3;
        },
      });
      expect(await journal.runs()).toMatchObject([{ ended: true }]);
      expect(await keysOf(environment, namespace, "shop-schema")).toEqual(["schema-v42"]);
    },
  },
];
