import { describe, expect, test } from "vitest";
import { find } from "../../../src/kube/find.ts";
import { NODES, PODS } from "../../../src/kube/resources.ts";
import { findJob, findPod } from "../../../src/objects/live-objects.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { recordedClient } from "../controller/recorded-client.ts";

const ref = { namespace: "ns", name: "run-1", uid: "uid-1" };
const answering = (answer: object | KonductorError) =>
  recordedClient(() => {
    if (answer instanceof KonductorError) throw answer;
    return answer;
  }).client;

describe.each([
  ["a pod", findPod],
  ["a Job", findJob],
])("%s", (_, findOne) => {
  test("is found by its uid", async () => {
    expect(await findOne(answering({ metadata: ref }), ref)).toMatchObject(ref);
  });

  test("is not mistaken for another object of its name", async () => {
    expect(await findOne(answering({ metadata: { ...ref, uid: "uid-2" } }), ref)).toBeUndefined();
  });

  test("is gone only if the API server says so", async () => {
    expect(await findOne(answering(new KonductorError("NotFound", "gone")), ref)).toBeUndefined();
    const away = new KonductorError("Unreachable", "away");
    await expect(findOne(answering(away), ref)).rejects.toBe(away);
  });
});

test("a read asks for exactly the given object", async () => {
  const { client, calls } = recordedClient(() => ({ metadata: ref }));
  await findPod(client, ref);
  await find(client, NODES, { name: "node-1" }, (node) => node);
  expect(calls).toMatchObject([
    { what: `get ${PODS.plural}`, sent: { namespace: "ns", name: "run-1" } },
    { what: `get ${NODES.plural}`, sent: { name: "node-1" } },
  ]);
});
