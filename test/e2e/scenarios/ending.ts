import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import { EXPIRY_ALLOWANCE_MS, TERMINATION_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import type { PastHold } from "../../../src/lease/types.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { GROUP, KEEPER_CONTAINER, VERSION } from "../../../src/shared/names.ts";
import { bootMs } from "../boot-time.ts";
import type { Environment, PodName, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { BEAT_MS, HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { waitForJobs } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { job, pod, type Workload } from "../workload.ts";

const FREED_WITHIN_MS = 200;
const TTL_MS = 15_000;
const GRACE_MS = 5_000;

const graceSeconds = GRACE_MS / 1_000;

/** Mains that do not end on SIGTERM. */
const STUBBORN: readonly { main: string; stopsAfterMs: number; details: Partial<Workload> }[] = [
  { main: "takes 10 s to stop", stopsAfterMs: 10_000, details: { onTerm: { afterSeconds: 10 } } },
  {
    main: "ignores TERM until its grace period runs out",
    stopsAfterMs: GRACE_MS,
    details: { graceSeconds, onTerm: "ignore" },
  },
  {
    // When the hook has used up the grace period, the kubelet gives main 2 s more; main's keeper is stopped before.
    main: "has a preStop hook that hogs the grace period, and then ignores TERM",
    stopsAfterMs: GRACE_MS,
    details: {
      graceSeconds,
      onTerm: "ignore",
      container: { lifecycle: { preStop: { exec: { command: ["sleep", "60"] } } } },
    },
  },
];

export const ending: readonly Scenario[] = [
  {
    name: "user containers are exactly what the API server stores without konductor",
    isSmoke: true,
    async run(environment) {
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-plain`);
      const workload = { namespace, journal, runsForSeconds: 1, spec: RICH_SPEC };
      await environment.kubectl.withObject(pod({ ...workload, name: "plain" }), "create");
      await environment.kubectl.withObject(pod({ ...workload, name: "guarded", lease: "rich" }), "create");
      const [plain, guarded] = await Promise.all(
        ["plain", "guarded"].map((name) => userContainers(environment, { namespace, name })),
      );
      expect(plain?.map(({ name }) => name)).toEqual(["prepare", "proxy", "main", "helper"]);
      expect(guarded).toEqual(plain);
    },
  },
  {
    name: `a Job's completion frees the klease within ${FREED_WITHIN_MS} ms of the keeper's SIGTERM`,
    row: "main completes, fails, is OOM-killed",
    locks: ["machine"],
    async run(environment) {
      const stage = await setStage(environment, "quick", { ttl: "1m" });
      const { namespace, journal } = stage;
      for (const name of ["first", "second", "third"]) {
        const workload = { namespace, name, lease: "quick", journal, runsForSeconds: 1 };
        await environment.kubectl.withObject(job(workload), "apply");
      }
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      const { status } = await stage.atRest();
      expect(status.history).toHaveLength(3);
      for (const past of status.history) {
        // The arbiter may see main's end in the pod's status before the kubelet stops the keeper.
        expect(["Released", "Terminated"]).toContain(past.reason);
        const keeper = await keeperLog(environment, { namespace, name: past.holder });
        await expectFreedInTime(environment, stage, past, keeper);
      }
    },
  },
  {
    name: `the keeper of a deleted pod frees the klease within ${FREED_WITHIN_MS} ms of its SIGTERM`,
    isSmoke: true,
    row: "pod deleted, and main stops late or never",
    locks: ["machine"],
    async run(environment) {
      const stage = await setStage(environment, "released", { ttl: "1m" });
      const pod = await stage.apply("old");
      await stage.runs("old", 1);
      const keeper = keeperLog(environment, pod, "--follow");
      await environment.kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false");
      const { status } = await stage.atRest();
      const [past] = status.history;
      if (!past) throw new Error("nobody has held");
      expect(["Released", "Terminated"]).toContain(past.reason);
      await expectFreedInTime(environment, stage, past, await keeper);
    },
  },
  ...STUBBORN.map(
    ({ main, stopsAfterMs, details }): Scenario => ({
      name: `a deleted pod whose main ${main} keeps its klease until main has ended`,
      row: "pod deleted, and main stops late or never",
      async run(environment) {
        const stage = await setStage(environment, "stubborn", { ttl: "1m" });
        const atMs = await deleteHolder(environment, stage, details);
        const { old, next } = await handover(stage);
        expect(old.toMs - atMs).toBeGreaterThan(stopsAfterMs - BEAT_MS);
        expectWithin(environment, {
          what: `a main that ${main}: from its end to the next one`,
          measuredMs: next.fromMs - old.toMs,
          boundMs: HANDED_ON_WITHIN_MS,
        });
      },
    }),
  ),
  {
    name: "a force-deleted pod keeps its klease beyond its main's last sign of life, and no longer than the rules say",
    row: "force-deleted, garbage-collected, Node deleted, out-of-service taint",
    async run(environment) {
      const stage = await setStage(environment, "forced", { ttl: "15s", handoverPolicy: "AfterExpiry" });
      const force = ["--grace-period=0", "--force"];
      const atMs = await deleteHolder(environment, stage, { onTerm: "ignore", graceSeconds }, force);
      const { next } = await handover(stage);
      // Silence counts from the last renewal, which came before the deletion. A pod that was seen being deleted may take its grace period.
      const freeWithinMs = TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_MS + TERMINATION_ALLOWANCE_MS;
      expectWithin(environment, {
        what: "AfterExpiry: from a forced deletion to the next main",
        measuredMs: next.fromMs - atMs,
        boundMs: freeWithinMs + HANDED_ON_WITHIN_MS,
      });
    },
  },
];

/** Deletes the holder while another pod waits; resolves with the time since boot just before. */
async function deleteHolder(
  { kubectl }: Environment,
  stage: Stage,
  details: Partial<Workload>,
  flags: readonly string[] = [],
): Promise<number> {
  await holdBefore(stage, details);
  const atMs = bootMs();
  await kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false", ...flags);
  return atMs;
}

/** From the keeper's SIGTERM to the write that frees the klease, by the API server's audit log. */
async function expectFreedInTime(
  environment: Environment,
  { namespace }: Stage,
  { holder, endedMs }: PastHold,
  keeper: string,
): Promise<void> {
  const line = keeper.split("\n").find((each) => each.includes("asked to stop"));
  const askedMs = Date.parse(line?.slice(0, line.indexOf(" ")) ?? "");
  const freedMs = await statusWriteMs(environment.cluster.auditLogPath, namespace, endedMs);
  const [job = holder] = holder.split("-");
  expectWithin(environment, {
    what: `${job}: from the keeper's SIGTERM until the klease is free`,
    measuredMs: freedMs - askedMs,
    boundMs: FREED_WITHIN_MS,
  });
}

function keeperLog(
  { kubectl }: Environment,
  { namespace, name }: PodName,
  ...flags: string[]
): Promise<string> {
  return kubectl("-n", namespace, "logs", name, "-c", KEEPER_CONTAINER, ...flags);
}

/** When the API server completed the write to the namespace's klease that it received closest to `atMs`, a time of the replicas' clock. */
async function statusWriteMs(auditLogPath: string, namespace: string, atMs: number): Promise<number> {
  const lines = createInterface({ input: createReadStream(auditLogPath) });
  let nearest = { byMs: Number.POSITIVE_INFINITY, doneMs: Number.NaN };
  for await (const line of lines) {
    if (!line.includes(`/${GROUP}/${VERSION}/namespaces/${namespace}/leases/`)) continue;
    const event = record(JSON.parse(line));
    const isWrite = event["verb"] === "update" && record(event["responseStatus"])["code"] === 200;
    const byMs = Math.abs(Date.parse(text(event["requestReceivedTimestamp"]) ?? "") - atMs);
    if (isWrite && byMs < nearest.byMs)
      nearest = { byMs, doneMs: Date.parse(text(event["stageTimestamp"]) ?? "") };
  }
  return nearest.doneMs;
}

/** Containers as stored, with a fixed name for the volume of the account's token, which the API server generates. */
async function userContainers({ client }: Environment, ref: PodName) {
  const spec = record(record(await client.get(PODS, ref))["spec"]);
  const all = [...list(spec["initContainers"]), ...list(spec["containers"])];
  return all
    .map((container) =>
      record(JSON.parse(JSON.stringify(container).replaceAll(/kube-api-access-\w+/g, "token"))),
    )
    .filter(({ name }) => !text(name)?.startsWith("konductor-"));
}

const IMAGE = "konductor.test/busybox:1";

/** A pod that uses whatever an injection could spoil: order, tokens, ports, probes, resources, env. */
const RICH_SPEC = {
  automountServiceAccountToken: true,
  serviceAccountName: "default",
  initContainers: [
    { name: "prepare", image: IMAGE, command: ["true"], env: [{ name: "A", value: "$(B)" }] },
    { name: "proxy", image: IMAGE, command: ["sleep", "600"], restartPolicy: "Always" },
  ],
  containers: [
    {
      name: "main",
      image: IMAGE,
      command: ["true"],
      ports: [{ containerPort: 8080 }],
      resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "32Mi" } },
      livenessProbe: { exec: { command: ["true"] } },
      lifecycle: { preStop: { exec: { command: ["true"] } } },
    },
    { name: "helper", image: IMAGE, command: ["true"], securityContext: { runAsUser: 1000 }, stdin: true },
  ],
  tolerations: [{ key: "other", operator: "Exists" }],
};
