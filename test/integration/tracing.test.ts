/** Two replicas of konductor, before a real API server, send the traces of holds to a receiver, which reads what was really sent. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { createLeaseRequest } from "../../src/objects/lease-objects.ts";
import { list, record, textMap } from "../../src/shared/json.ts";
import { waitFor } from "../cluster/wait.ts";
import { type ProcessEnvironment, startProcessEnvironment } from "../e2e/process-environment.ts";
import { type Stage, setStage } from "../e2e/stage.ts";
import { type ReceivedSpan, type Receiver, startReceiver } from "../unit/tracing/receiver.ts";

const USERS = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const TRACEPARENT = `00-${USERS.traceId}-${USERS.spanId}-01`;
const WHOLE_LIFE = ["admission", "confirmation", "grant", "hold", "main", "release", "waiting"];

let receiver: Receiver;
let environment: ProcessEnvironment;

beforeAll(async () => {
  const { env, programsDir } = inject("cluster");
  receiver = await startReceiver();
  const konductorFlags = [`--tracing-endpoint=${receiver.url}`];
  environment = await startProcessEnvironment({ env, programsDir, stream: process.stderr, konductorFlags });
});
afterAll(async () => {
  await environment?.stop();
  await receiver?.close();
});

/** The trace of the holder, once it has every span of `names`; by name. */
async function traceOf(holder: string, names: readonly string[]): Promise<Record<string, ReceivedSpan>> {
  let spans: ReceivedSpan[] = [];
  await waitFor({
    what: `the trace of ${holder}`,
    withinMs: 30_000,
    holds: async () => {
      const id = receiver.spans.find(({ attributes }) => attributes["konductor.holder"] === holder)?.traceId;
      spans = receiver.spans.filter(({ traceId }) => traceId === id);
      return names.every((name) => spans.some((span) => span.name === name));
    },
  });
  expect(spans.map(({ name }) => name).toSorted()).toEqual(names);
  return Object.fromEntries(spans.map((span) => [span.name, span]));
}

async function annotationOf({ namespace }: Stage, name: string): Promise<string | undefined> {
  const { metadata } = record(await environment.client.get(PODS, { namespace, name }));
  return textMap(record(metadata)["annotations"])["trace.konductor.io/traceparent"];
}

test("pods that take turns each have one trace, from both replicas", async () => {
  const stage = await setStage(environment, "nightly", { ttl: "15s" });
  const names = ["first", "second", "third", "fourth"];
  await stage.apply("first", { runsForSeconds: 2 });
  await stage.holds("first");
  for (const name of names.slice(1)) await stage.apply(name, { runsForSeconds: 1 });
  for (const name of names) await stage.runs(name, 1);
  const { status } = await stage.atRest();
  for (const name of names) {
    const { admission, waiting, hold, grant, confirmation, main, release } = await traceOf(name, WHOLE_LIFE);
    expect(await annotationOf(stage, name)).toBe(`00-${admission?.traceId}-${admission?.spanId}-01`);
    expect(admission?.parentSpanId).toBeUndefined();
    for (const span of [waiting, hold]) expect(span?.parentSpanId).toBe(admission?.spanId);
    for (const span of [grant, confirmation, main, release]) expect(span?.parentSpanId).toBe(hold?.spanId);
    const past = status.history.find(({ holder }) => holder === name);
    expect([waiting?.endMs, hold?.startMs, grant?.startMs]).toEqual(Array(3).fill(past?.acquiredMs));
    expect(confirmation?.startMs).toBe(past?.acquiredMs);
    expect(main?.startMs).toBe(confirmation?.endMs);
    expect(release?.startMs).toBe(main?.endMs);
    expect(release?.endMs).toBe(hold?.endMs);
    expect(hold?.endMs).toBeGreaterThanOrEqual(past?.endedMs ?? Number.POSITIVE_INFINITY);
    expect((main?.endMs ?? 0) - (main?.startMs ?? 0)).toBeGreaterThan(900);
    expect(hold).toMatchObject({
      error: undefined,
      attributes: {
        ...{ "konductor.namespace": stage.namespace, "konductor.lease": "nightly", "konductor.holder": name },
        ...{ "konductor.token": String(past?.token), "konductor.reason": past?.reason },
        ...{ "k8s.pod.name": name, "k8s.namespace.name": stage.namespace },
      },
    });
  }
  const instances = new Set(receiver.spans.map(({ resource }) => resource["service.instance.id"]));
  expect([...instances].toSorted()).toEqual(["replica-1", "replica-2"]);
});

test("a pod's own traceparent is continued, and a wait in vain is an error", async () => {
  const stage = await setStage(environment, "awaited", { ttl: "15s" });
  await stage.apply("holder", { runsForSeconds: 60 });
  await stage.holds("holder");
  await stage.apply("waiter", {
    annotations: { "konductor.io/wait-timeout": "1s", "trace.konductor.io/traceparent": TRACEPARENT },
  });
  const { admission, waiting } = await traceOf("waiter", ["admission", "waiting"]);
  for (const span of [admission, waiting])
    expect(span).toMatchObject({ traceId: USERS.traceId, parentSpanId: USERS.spanId });
  expect(waiting).toMatchObject({
    error: "the Lease was not granted in time",
    attributes: { "konductor.outcome": "timed_out", "k8s.pod.name": "waiter" },
  });
});

test("a client's hold that an admin takes away is an error in its trace", async () => {
  const { client } = environment;
  const namespace = await environment.createNamespace();
  const [lease, holder] = ["by-hand", "ci"];
  await createLeaseRequest(client, { namespace, name: "ci", spec: { lease, holder, requestedAtMs: 0 } });
  await waitFor({
    what: "the client to hold",
    withinMs: 30_000,
    holds: async () =>
      list(
        record(record(await client.get(LEASE_REQUESTS, { namespace, name: "ci" }))["status"])["conditions"],
      )
        .map(record)
        .some(({ type, status }) => type === "Granted" && status === "True"),
  });
  await client.patch(
    LEASES,
    { namespace, name: lease },
    { status: { phase: "Available", holder: "" } },
    { type: "merge" },
  );
  const { admission, waiting, hold } = await traceOf(
    holder,
    WHOLE_LIFE.filter((name) => name !== "confirmation"),
  );
  for (const span of [waiting, hold]) expect(span?.parentSpanId).toBe(admission?.spanId);
  expect(hold).toMatchObject({
    error: "an admin took the Lease away",
    attributes: { "konductor.reason": "Forced", "konductor.request": "ci" },
  });
});
