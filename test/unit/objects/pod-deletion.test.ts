import { expect, test } from "vitest";
import { deletePod } from "../../../src/objects/pod-deletion.ts";
import { recordedClient } from "../controller/recorded-client.ts";

const POD = { namespace: "ns", name: "a", uid: "uid-a" };

test.each([
  ["is deleted with the grace period of its spec", 30, undefined],
  ["whose grace period is 0 is deleted with 1 s, so that its end can be seen", 0, 1],
  ["whose grace period is unknown is deleted without naming one", undefined, undefined],
])("a pod %s", async (_, graceSeconds, gracePeriodSeconds) => {
  const { client, calls } = recordedClient(() => ({}));
  expect(await deletePod(client, { ...POD, ...(graceSeconds !== undefined && { graceSeconds }) })).toBe(true);
  const options = { uid: POD.uid, propagationPolicy: "Background" };
  expect(calls).toEqual([
    {
      what: "delete pods",
      sent: { namespace: "ns", name: "a" },
      options: { ...options, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) },
    },
  ]);
});
