import { expect, test } from "vitest";
import { parseOwnResources } from "../../../src/lease/own-resources.ts";

test("requests and limits by the names that a ResourceQuota has for them", () => {
  expect(parseOwnResources("requests.cpu=50m, limits.memory=256Mi,limits.ephemeral-storage=1Gi")).toEqual({
    requests: { cpu: "50m" },
    limits: { memory: "256Mi", "ephemeral-storage": "1Gi" },
  });
  expect(parseOwnResources("limits.memory=64Mi")).toEqual({ requests: {}, limits: { memory: "64Mi" } });
});

test.each([
  ["nothing", ""],
  ["no quantity", "requests.cpu=much"],
  ["a quantity of 0", "requests.cpu=0"],
  ["a quantity too large to represent", "requests.cpu=1e400"],
  ["a quantity below 0", "requests.cpu=-1"],
  ["another resource", "requests.nvidia.com/gpu=1"],
  ["another side", "default.cpu=1"],
  ["a resource without its side", "cpu=1"],
  ["the same twice", "requests.cpu=1,requests.cpu=2"],
  ["a request above its limit", "requests.cpu=2,limits.cpu=1"],
  ["less memory than Node.js needs", "limits.memory=63Mi"],
  ["a name that every JavaScript object has", "requests.constructor=1"],
  ["an implausibly large quantity", `requests.cpu=${"1".repeat(300)}`],
])("%s is not allowed", (_what, text) => {
  expect(parseOwnResources(text)).toBeUndefined();
});
