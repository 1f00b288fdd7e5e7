import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, expect, inject, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { createEventRecorder } from "../../../src/kube/events.ts";
import { EVENTS } from "../../../src/kube/resources.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { record } from "../../../src/shared/json.ts";
import { CONFIG_MAPS, connect, createNamespace, parseThing, silent } from "./fixture.ts";

const client = connect();
const run = promisify(execFile);
let namespace: string;
beforeAll(async () => {
  namespace = await createNamespace(client);
});

async function createObject(name: string) {
  const { uid } = await client.create(CONFIG_MAPS, { metadata: { namespace, name } }, parseThing);
  return { apiVersion: "v1", kind: "ConfigMap", namespace, name, uid };
}

const recorder = (through: KubeClient) =>
  createEventRecorder({
    client: through,
    clock: systemClock(),
    logger: silent,
    component: "konductor",
    perSecond: () => 100,
    instance: "replica-1",
  });

const eventsOf = async (name: string) =>
  (await client.list(EVENTS, { namespace, fieldSelector: `involvedObject.name=${name}` })).items.map(record);

test("identical events become one with a count, and kubectl describe shows it", async () => {
  const object = await createObject("repeated");
  const events = recorder(client);
  for (let times = 0; times < 3; times++) {
    events.record({ object, type: "Warning", reason: "Odd", message: "something is odd" });
    await events.flush();
  }
  expect(await eventsOf("repeated")).toMatchObject([{ count: 3, reason: "Odd", type: "Warning" }]);
  const { kubeconfigPath, kubectlPath } = inject("cluster");
  const args = ["--kubeconfig", kubeconfigPath, "-n", namespace, "describe", "configmap", "repeated"];
  expect((await run(kubectlPath, args)).stdout).toMatch(
    /Warning\s+Odd\s+\S+ \(x3 over \S+\)\s+konductor\s+something is odd/,
  );
});

test("an object with too many events has only the first ones recorded", async () => {
  const object = await createObject("talkative");
  const events = recorder(client);
  for (let number = 0; number < 40; number++) {
    events.record({ object, type: "Normal", reason: "Said", message: `word ${number}` });
  }
  await events.flush();
  expect(await eventsOf("talkative")).toHaveLength(25);
});

test("an event that follows another is written if that one is there, whoever wrote it", async () => {
  const object = await createObject("granted");
  const first = { type: "Normal", reason: "Waiting", once: "1" } as const;
  const second = { object, type: "Normal", reason: "Granted", message: "it holds" } as const;
  const reasons = async () => (await eventsOf("granted")).map(({ reason }) => reason).sort();
  const follow = async () => {
    const events = recorder(client);
    events.record({ ...second, once: "2", follows: [{ ...first, once: "0" }, first] });
    await events.flush();
  };
  await follow();
  expect(await reasons()).toEqual([]);
  const events = recorder(client);
  events.record({ object, ...first, message: "it waits" });
  await events.flush();
  await follow();
  expect(await reasons()).toEqual(["Granted", "Waiting"]);
});

test("an API server that is away makes no caller fail", async () => {
  const object = await createObject("alone");
  const events = recorder(connect("https://127.0.0.1:9"));
  expect(() => events.record({ object, type: "Normal", reason: "Said", message: "hello?" })).not.toThrow();
});
