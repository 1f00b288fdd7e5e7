import { describe, expect, it } from "vitest";
import type { Container, PodSpec, Resources } from "../../../src/server/admission/objects.ts";
import { parseQuantity } from "../../../src/server/admission/quantity.ts";
import { ownResources } from "../../../src/server/admission/resources.ts";

const container = (resources?: Resources): Container => ({ name: "c", ...(resources && { resources }) });
const same = (cpu: string, memory: string): Resources => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

const SMALL = { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "128Mi" } };
const GUARANTEED = { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "100m", memory: "128Mi" } };

describe("ownResources", () => {
  it.each<[string, Container[], Partial<PodSpec>, Resources]>([
    ["nothing said", [container()], {}, SMALL],
    ["requests only", [container({ requests: { cpu: "1", memory: "1Gi" } })], {}, SMALL],
    [
      "a Guaranteed pod stays Guaranteed",
      [container(same("1", "1Gi")), container(same("500m", "1Mi"))],
      {},
      GUARANTEED,
    ],
    [
      "Guaranteed in other words",
      [container({ requests: { cpu: "0.5", memory: "1024Mi" }, limits: { cpu: "500m", memory: "1Gi" } })],
      {},
      GUARANTEED,
    ],
    ["one container is not Guaranteed", [container(same("1", "1Gi")), container()], {}, SMALL],
    [
      "a limit of zero is none",
      [container(same("0", "1Gi"))],
      {},
      { ...SMALL, limits: { cpu: "100m", memory: "128Mi" } },
    ],
    [
      "a quota demands cpu limits",
      [container({ limits: { cpu: "1" } }), container({ limits: { cpu: "2" } })],
      {},
      { requests: { cpu: "10m", memory: "64Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
    ],
    [
      "a quota demands ephemeral storage",
      [container({ requests: { "ephemeral-storage": "1Gi" }, limits: { "ephemeral-storage": "1Gi" } })],
      {},
      {
        requests: { ...SMALL.requests, "ephemeral-storage": "8Mi" },
        limits: { ...SMALL.limits, "ephemeral-storage": "128Mi" },
      },
    ],
    ["the pod has a budget", [container()], { resources: same("1", "1Gi") }, { requests: {}, limits: {} }],
    [
      "the pod has a budget of cpu",
      [container()],
      { resources: { limits: { cpu: "1" } } },
      { requests: { memory: "64Mi" }, limits: { memory: "128Mi" } },
    ],
  ])("%s", (_name, user, spec, expected) => {
    expect(ownResources({ containers: user, ...spec }, user)).toEqual(expected);
  });
});

describe("parseQuantity", () => {
  it.each([
    ["100m", 0.1],
    ["0.5", 0.5],
    ["2", 2],
    ["1Gi", 2 ** 30],
    ["1G", 1e9],
    ["1e3", 1000],
    ["1E", 1e18],
    [".5Ki", 512],
    ["", undefined],
    ["1 Gi", undefined],
    ["Gi", undefined],
    [undefined, undefined],
  ])("%j is %d", (text, value) => {
    expect(parseQuantity(text)).toBe(value);
  });
});
