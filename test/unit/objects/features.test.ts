/** Whether a pod may be given the restart rule: what counts are the nodes that it may come to. */
import { expect, test } from "vitest";
import { createClusterFeatures, type SelfFencingMode } from "../../../src/objects/features.ts";
import { type NodeView, parseNode } from "../../../src/objects/node-view.ts";
import type { Placement } from "../../../src/objects/placement.ts";
import { fedReflector } from "../controller/fed-reflector.ts";
import { recordedClient } from "../controller/recorded-client.ts";

const able = ["RestartAllContainersOnContainerExits"];
const taint = { key: "gpu", value: "a100", effect: "NoSchedule" };

interface Given {
  name: string;
  features?: readonly string[];
  labels?: Record<string, string>;
  taints?: object[];
  unschedulable?: boolean;
}

const nodeOf = ({ name, features = able, labels = {}, ...spec }: Given) =>
  parseNode({ metadata: { name, uid: name, labels }, spec, status: { declaredFeatures: features } });

async function canFence(
  nodes: Given[],
  pod: Placement,
  { mode = "auto" as SelfFencingMode, minor = "37" } = {},
) {
  const cache = fedReflector<NodeView>();
  for (const node of nodes) cache.apply(nodeOf(node));
  const { client } = recordedClient(() => ({ major: "1", minor }));
  const features = createClusterFeatures({ client, nodes: cache, mode });
  await features.refresh();
  return features.canFence(pod);
}

const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key-${index}`, ""]));
const old: Given = { name: "old", features: [], labels: { pool: "old" } };
const young: Given = { name: "young", labels: { pool: "young" } };

test.each<[string, Given[], Placement, boolean]>([
  ["every node is able", [young], {}, true],
  ["one that it may come to is not", [young, old], {}, false],
  ["it selects those that are", [young, old], { nodeSelector: { pool: "young" } }, true],
  ["it selects one that is not", [young, old], { nodeSelector: { pool: "old" } }, false],
  ["it is bound to one that is", [young, old], { nodeName: "young" }, true],
  ["it is bound to one that is not", [young, old], { nodeName: "old" }, false],
  ["it is bound to one that is not known", [young], { nodeName: "new" }, false],
  ["the other runs Windows", [young, { ...old, labels: { "kubernetes.io/os": "windows" } }], {}, true],
  ["the other is cordoned", [young, { ...old, unschedulable: true }], {}, true],
  ["the other is tainted", [young, { ...old, taints: [taint] }], {}, true],
  ["it tolerates the other's taint", [young, { ...old, taints: [taint] }], { tolerations: [taint] }, false],
  [
    "it tolerates everything",
    [young, { ...old, taints: [taint] }],
    { tolerations: [{ operator: "Exists" }] },
    false,
  ],
  [
    "it tolerates another value",
    [young, { ...old, taints: [taint] }],
    { tolerations: [{ ...taint, value: "h100" }] },
    true,
  ],
  [
    "the other is in trouble, which passes",
    [young, { ...old, taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] }],
    {},
    false,
  ],
  ["no node would take it, and all are able", [young], { nodeSelector: { pool: "none" } }, true],
  ["no node would take it, and one is not able", [young, old], { nodeSelector: { pool: "none" } }, false],
  ["there is no node", [], {}, false],
  ["it selects more than anybody means", [young, old], { nodeSelector: many }, false],
  [
    "it tolerates more than anybody means",
    [young, { ...old, taints: [taint] }],
    { tolerations: Array.from({ length: 100_000 }, () => ({ key: "x", operator: "Exists" })) },
    false,
  ],
])("%s", async (_, nodes, pod, expected) => {
  expect(await canFence(nodes, pod)).toBe(expected);
});

test("an older server, and the admin's word", async () => {
  expect(await canFence([young], {}, { minor: "35+" })).toBe(false);
  expect(await canFence([young], {}, { minor: "36+" })).toBe(true);
  expect(await canFence([old], {}, { mode: "always" })).toBe(true);
  expect(await canFence([young], {}, { mode: "never" })).toBe(false);
});
