/** Gate and keeper are recognized by what they run. Our scheduling gate holds a pod back only if the pod has both. */
import { expect, test } from "vitest";
import { isOwnContainer } from "../../../src/lease/own-container.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { GATE_BOOT } from "../../../src/shared/names.ts";

const gate = { name: "konductor-gate", command: ["/usr/bin/node", "/konductor/gate.js"], args: ["gate"] };
const keeper = { name: "konductor-keeper", command: ["/usr/bin/node", "/konductor/gate.js"], args: ["keep"] };

test.each<[string, object, boolean]>([
  ["our gate", gate, true],
  ["our keeper", keeper, true],
  ["our gate, of another version", { ...gate, image: "konductor:0.0.1" }, true],
  [
    "our gate, in an image of Node.js",
    { ...gate, command: ["/usr/local/bin/node", "/konductor/gate.js"] },
    true,
  ],
  ["our gate, from its environment", { ...gate, command: ["/usr/local/bin/node", "-e", GATE_BOOT] }, true],
  [
    "another program from its environment",
    { ...gate, command: ["/usr/local/bin/node", "-e", `${GATE_BOOT};work()`] },
    false,
  ],
  ["our gate, of 0.1.0", { ...gate, command: ["node", "/konductor/gate.js"] }, true],
  [
    "node found along a PATH of the container's own",
    { ...gate, command: ["/data/node", "/konductor/gate.js"] },
    false,
  ],
  ["a name", { name: "konductor-gate" }, false],
  ["a name on another program", { ...gate, command: ["sh", "-c", "work"] }, false],
  ["our program under another name", { ...gate, name: "main" }, false],
  ["the keeper's name on the gate", { ...keeper, args: ["gate"] }, false],
])("%s", (_, container, expected) => {
  expect(isOwnContainer(container)).toBe(expected);
});

test.each<[string, object[], boolean]>([
  ["gate and keeper", [gate, keeper], true],
  ["the user's own containers", [{ name: "setup" }], false],
  ["containers of our names", [{ name: "konductor-gate" }, { name: "konductor-keeper" }], false],
  ["a gate without a keeper", [gate], false],
])("a pod with our scheduling gate and %s waits for a grant: %s", (_, initContainers, expected) => {
  const schedulingGates = [{ name: "konductor.io/lease" }];
  const labels = { "konductor.io/lease": "nightly" };
  expect(parsePod({ metadata: { labels }, spec: { initContainers, schedulingGates } }).gated).toBe(expected);
});
