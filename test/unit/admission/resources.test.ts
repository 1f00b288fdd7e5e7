import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_OWN_RESOURCES, type OwnResources, parseOwnResources } from "../../../src/lease/own-resources.ts";
import { parseQuantity } from "../../../src/lease/quantity.ts";
import { parseLimitRange } from "../../../src/objects/limit-ranges.ts";
import type { Container, PodSpec, Resources } from "../../../src/server/admission/objects.ts";
import { ownResources } from "../../../src/server/admission/resources.ts";

const container = (resources?: Resources): Container => ({ name: "c", ...(resources && { resources }) });
const same = (cpu: string, memory: string): Resources => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

const SMALL = { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "128Mi" } };
/** Resources are set by the pod's own containers alone. */
const NOBODY = { ranges: [], install: NO_OWN_RESOURCES, asked: NO_OWN_RESOURCES };
const NONE = { requests: {}, limits: {} };
const GUARANTEED = { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "100m", memory: "128Mi" } };

describe("ownResources", () => {
  it.each<[string, Container[], Partial<PodSpec>, Resources]>([
    ["a BestEffort pod stays BestEffort", [container()], {}, NONE],
    ["a container with requests", [container(), container({ requests: { cpu: "1" } })], {}, SMALL],
    ["requests only", [container({ requests: { cpu: "1", memory: "1Gi" } })], {}, SMALL],
    [
      "a Guaranteed pod stays Guaranteed",
      [container(same("1", "1Gi")), container(same("500m", "1Mi"))],
      {},
      GUARANTEED,
    ],
    [
      "Guaranteed with other units",
      [container({ requests: { cpu: "0.5", memory: "1024Mi" }, limits: { cpu: "500m", memory: "1Gi" } })],
      {},
      GUARANTEED,
    ],
    ["a Guaranteed container next to others", [container(same("1", "1Gi")), container()], {}, SMALL],
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
    expect(ownResources({ containers: user, ...spec }, user, NOBODY)).toEqual(expected);
  });
});

describe("a LimitRange", () => {
  const range = (limits: object) =>
    parseLimitRange({ spec: { limits: [{ type: "Container", ...limits }] } }).containers;
  const burstable = [container({ requests: { cpu: "1" } })];
  const own = (limits: object, user = burstable) =>
    ownResources({ containers: user }, user, { ...NOBODY, ranges: range(limits) });

  it.each<[string, object, Container[], Resources]>([
    ["that asks for nothing", {}, burstable, SMALL],
    [
      "with a least cpu",
      { min: { cpu: "50m" } },
      burstable,
      { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "128Mi" } },
    ],
    [
      "with a greatest memory",
      { max: { memory: "100Mi" } },
      burstable,
      { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: `${100 * 2 ** 20}` } },
    ],
    [
      "with a ratio",
      { maxLimitRequestRatio: { cpu: "2", memory: "1" } },
      burstable,
      { requests: { cpu: "50m", memory: "128Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
    ],
    [
      "with a least cpu in a Guaranteed pod",
      { min: { cpu: "300m" } },
      [container(same("1", "1Gi"))],
      { requests: { cpu: "300m", memory: "128Mi" }, limits: { cpu: "300m", memory: "128Mi" } },
    ],
    [
      "with a least memory, for a pod that would be BestEffort",
      { min: { memory: "32Mi" } },
      [container()],
      { requests: { memory: "64Mi" }, limits: {} },
    ],
    ["of pods", { type: "Pod", min: { cpu: "1" } }, burstable, SMALL],
  ])("%s", (_, limits, user, expected) => {
    expect(own(limits, user)).toEqual(expected);
  });

  // plugin/pkg/admission/limitranger: minConstraint, maxConstraint, limitRequestRatioConstraint.
  it("admits our containers with these resources, if it can admit any", () => {
    const cpu = fc.option(fc.integer({ min: 1, max: 4_000 }), { nil: undefined });
    const ratio = fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined });
    fc.assert(
      fc.property(cpu, cpu, ratio, fc.boolean(), (least, most, most_ratio, isGuaranteed) => {
        fc.pre(least === undefined || most === undefined || least <= most);
        const milli = (value: number | undefined) => (value === undefined ? {} : { cpu: `${value}m` });
        const limits = {
          ...{ min: milli(least), max: milli(most) },
          maxLimitRequestRatio: most_ratio === undefined ? {} : { cpu: `${most_ratio}` },
        };
        const got = own(limits, isGuaranteed ? [container(same("1", "1Gi"))] : burstable);
        const [request, limit] = [got.requests?.["cpu"], got.limits?.["cpu"]].map((text) =>
          text === undefined ? undefined : Math.round((parseQuantity(text) ?? 0) * 1_000),
        );
        if (least !== undefined) expect(request).toBeGreaterThanOrEqual(least);
        if (least !== undefined && limit !== undefined) expect(limit).toBeGreaterThanOrEqual(least);
        if (most !== undefined) expect(limit).toBeLessThanOrEqual(most);
        if (most !== undefined) expect(request ?? 0).toBeLessThanOrEqual(most);
        if (most_ratio !== undefined)
          expect((limit ?? Number.NaN) / (request ?? 0)).toBeLessThanOrEqual(most_ratio);
        if (limit !== undefined) expect(request ?? 0).toBeLessThanOrEqual(limit);
        if (isGuaranteed) expect(request).toBe(limit);
      }),
    );
  });
});

describe("named resources", () => {
  const named = (text: string): OwnResources =>
    parseOwnResources(text) ?? expect.fail(`${text} is not allowed`);
  const burstable = [container({ requests: { cpu: "1" } })];

  it.each<[string, string, Container[], Resources]>([
    [
      "replace ours",
      "requests.cpu=50m,limits.memory=256Mi",
      burstable,
      { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "256Mi" } },
    ],
    [
      "are set where ours are unset",
      "limits.cpu=1,requests.ephemeral-storage=1Gi",
      burstable,
      { requests: { ...SMALL.requests, "ephemeral-storage": "1Gi" }, limits: { cpu: "1", memory: "128Mi" } },
    ],
    [
      "raise an unnamed limit",
      "requests.memory=200Mi",
      burstable,
      { requests: { cpu: "10m", memory: "200Mi" }, limits: { memory: "200Mi" } },
    ],
    [
      "lower an unnamed request",
      "limits.cpu=5m",
      burstable,
      { requests: { cpu: "5m", memory: "64Mi" }, limits: { cpu: "5m", memory: "128Mi" } },
    ],
    [
      "are requests and limits of a Guaranteed pod",
      "requests.cpu=50m,limits.cpu=200m",
      [container(same("1", "1Gi"))],
      { requests: { cpu: "200m", memory: "128Mi" }, limits: { cpu: "200m", memory: "128Mi" } },
    ],
  ])("%s, by the install and by the pod", (_name, text, user, expected) => {
    for (const sources of [{ install: named(text) }, { asked: named(text) }])
      expect(ownResources({ containers: user }, user, { ...NOBODY, ...sources })).toEqual(expected);
  });

  it("follow the pod where pod and install name the same", () => {
    const sources = {
      ...NOBODY,
      install: named("requests.cpu=1,limits.cpu=2"),
      asked: named("limits.cpu=500m"),
    };
    expect(ownResources({ containers: burstable }, burstable, sources)).toMatchObject({
      requests: { cpu: "10m" },
      limits: { cpu: "500m" },
    });
  });

  it("apply to a BestEffort pod, or one with a budget, only from its own annotation", () => {
    const text = "requests.cpu=50m";
    const user = [container()];
    const pods = [{ containers: user }, { containers: user, resources: same("1", "1Gi") }];
    for (const spec of pods) {
      expect(ownResources(spec, user, { ...NOBODY, install: named(text) })).toEqual(NONE);
      expect(ownResources(spec, user, { ...NOBODY, asked: named(text) })).toEqual({
        requests: { cpu: "50m" },
        limits: {},
      });
    }
  });

  it("are still fitted into the namespace's LimitRange", () => {
    const { containers: ranges } = parseLimitRange({
      spec: { limits: [{ type: "Container", max: { cpu: "100m" } }] },
    });
    const sources = { ...NOBODY, ranges, asked: named("requests.cpu=1") };
    expect(ownResources({ containers: burstable }, burstable, sources)).toMatchObject({
      requests: { cpu: "100m" },
      limits: { cpu: "100m" },
    });
  });
});
