/** Whether a pod may get the restart rule, which depends on the nodes to which it may be scheduled. */
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
  ["every node supports it", [young], {}, true],
  ["one possible node does not", [young, old], {}, false],
  ["the pod selects nodes that do", [young, old], { nodeSelector: { pool: "young" } }, true],
  ["the pod selects a node that does not", [young, old], { nodeSelector: { pool: "old" } }, false],
  ["the pod is bound to a node that does", [young, old], { nodeName: "young" }, true],
  ["the pod is bound to a node that does not", [young, old], { nodeName: "old" }, false],
  ["the pod is bound to an unknown node", [young], { nodeName: "new" }, false],
  ["the other node runs Windows", [young, { ...old, labels: { "kubernetes.io/os": "windows" } }], {}, true],
  ["the other node is cordoned", [young, { ...old, unschedulable: true }], {}, true],
  ["the other node is tainted", [young, { ...old, taints: [taint] }], {}, true],
  [
    "the pod tolerates the other node's taint",
    [young, { ...old, taints: [taint] }],
    { tolerations: [taint] },
    false,
  ],
  [
    "the pod tolerates everything",
    [young, { ...old, taints: [taint] }],
    { tolerations: [{ operator: "Exists" }] },
    false,
  ],
  [
    "the pod tolerates another value of the taint",
    [young, { ...old, taints: [taint] }],
    { tolerations: [{ ...taint, value: "h100" }] },
    true,
  ],
  [
    "the other node is not ready, which may pass",
    [young, { ...old, taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] }],
    {},
    false,
  ],
  ["no node fits, and all support it", [young], { nodeSelector: { pool: "none" } }, true],
  ["no node fits, and one does not support it", [young, old], { nodeSelector: { pool: "none" } }, false],
  ["there is no node", [], {}, false],
  ["the pod has an implausibly long nodeSelector", [young, old], { nodeSelector: many }, false],
  [
    "the pod has implausibly many tolerations",
    [young, { ...old, taints: [taint] }],
    { tolerations: Array.from({ length: 100_000 }, () => ({ key: "x", operator: "Exists" })) },
    false,
  ],
])("restart rule: %s", async (_, nodes, pod, expected) => {
  expect(await canFence(nodes, pod)).toBe(expected);
});

test("the API server's version and the admin's choice count, too", async () => {
  expect(await canFence([young], {}, { minor: "35+" })).toBe(false);
  expect(await canFence([young], {}, { minor: "36+" })).toBe(true);
  expect(await canFence([old], {}, { mode: "always" })).toBe(true);
  expect(await canFence([young], {}, { mode: "never" })).toBe(false);
});
