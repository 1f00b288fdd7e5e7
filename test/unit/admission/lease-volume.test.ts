/** `token-file`: the volume in the user's containers, and pods that are refused because there is no place for it. */
import jsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import type { PodSpec } from "../../../src/server/admission/objects.ts";
import { diffPod, type Patch } from "../../../src/server/admission/patch.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import {
  ALONE,
  contextWith,
  ISTIO,
  inIstio,
  init,
  inject,
  MAIN,
  marked,
  NAMESPACE,
  podWith,
  sidecar,
} from "./fixtures.ts";

describe("the volume", () => {
  const MOUNT = { name: "konductor-lease", mountPath: "/var/run/lease", readOnly: true };
  const reads = (spec: Partial<PodSpec> = {}) =>
    podWith(spec, inIstio(marked({ "token-file": "/var/run/lease" })));
  const data = { name: "data", mountPath: "/data" };
  const full = () =>
    reads({
      containers: [{ ...MAIN, volumeMounts: [data] }, { name: "logs" }],
      initContainers: [ISTIO.proxy, init("setup"), sidecar("helper")],
      volumes: [{ name: "data" }],
    });

  /** The patches of the user's containers. Gate and keeper are second and third among the init containers. */
  const onUsers = (patch: Patch) =>
    patch
      .filter(({ path }) => /^\/spec\/(containers|initContainers\/[034])\//.test(`${path}/`))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));

  it("mounts the volume in every container of the user, and changes nothing else there", () => {
    const { spec } = inject(full());
    expect(spec.containers).toEqual([
      { ...MAIN, volumeMounts: [data, MOUNT] },
      { name: "logs", volumeMounts: [MOUNT] },
    ]);
    expect(spec.initContainers?.filter(({ name }) => !name.startsWith("konductor-"))).toEqual([
      ISTIO.proxy,
      { ...init("setup"), volumeMounts: [MOUNT] },
      { ...sidecar("helper"), volumeMounts: [MOUNT] },
    ]);
    expect(spec.volumes?.find(({ name }) => name === MOUNT.name)).toEqual({
      name: "konductor-lease",
      emptyDir: { medium: "Memory", sizeLimit: "1Mi" },
    });
  });

  it("lets gate and keeper write to it", () => {
    const pod = inject(full());
    const own = pod.spec.initContainers?.filter(({ name }) => name.startsWith("konductor-")) ?? [];
    expect(own).toHaveLength(2);
    for (const container of own) {
      expect(container.volumeMounts).toContainEqual({
        name: "konductor-lease",
        mountPath: "/run/konductor-lease",
      });
      expect(container.env).toContainEqual({ name: "KONDUCTOR_LEASE_DIR", value: "/run/konductor-lease" });
    }
  });

  it("is mounted once per container, even in one that another webhook added later", () => {
    const pod = inject(full());
    expect(diffPod(pod, inject(pod))).toEqual([]);
    pod.spec.containers.push({ name: "late" });
    expect(inject(pod).spec.containers.map(({ volumeMounts }) => volumeMounts?.at(-1))).toEqual([
      MOUNT,
      MOUNT,
      MOUNT,
    ]);
    expect(onUsers(diffPod(pod, inject(pod)))).toEqual([
      { op: "add", path: "/spec/containers/2/volumeMounts", value: [MOUNT] },
    ]);
  });

  it("adds nothing but the mount to what the user wrote", () => {
    const before = full();
    const patch = diffPod(before, inject(before));
    expect(jsonPatch.applyPatch(structuredClone(before), patch).newDocument).toEqual(inject(before));
    expect(onUsers(patch)).toEqual([
      { op: "add", path: "/spec/containers/0/volumeMounts/1", value: MOUNT },
      { op: "add", path: "/spec/containers/1/volumeMounts", value: [MOUNT] },
      { op: "add", path: "/spec/initContainers/3/volumeMounts", value: [MOUNT] },
      { op: "add", path: "/spec/initContainers/4/volumeMounts", value: [MOUNT] },
    ]);
  });
});

describe("the place of the volume", () => {
  it.each<[string, Partial<PodSpec>, string, RegExp]>([
    [
      "a container with another volume at token-file's path",
      { containers: [MAIN, { name: "b", volumeMounts: [{ name: "data", mountPath: "/run//lease/" }] }] },
      "/run/lease",
      /^spec\.containers\[1\]\.volumeMounts\[0\]\.mountPath: Invalid value: "\/run\/\/lease\/": konductor\.io\/token-file puts its files into \/run\/lease; any path outside of it is allowed$/,
    ],
    [
      "an init container with a file in token-file's path",
      {
        initContainers: [
          {
            name: "setup",
            volumeMounts: [{ name: "data", mountPath: "/run/lease/token", subPath: "token" }],
          },
        ],
      },
      "/run/lease",
      /^spec\.initContainers\[0\]\.volumeMounts\[0\]\.mountPath: Invalid value: "\/run\/lease\/token": konductor\.io\/token-file puts/,
    ],
    [
      "token-file in a directory that is mounted read-only",
      { containers: [{ ...MAIN, volumeMounts: [{ name: "data", mountPath: "/run", readOnly: true }] }] },
      "/run/lease",
      /^spec\.containers\[0\]\.volumeMounts\[0\]\.mountPath: Invalid value: "\/run": it is read-only, so that konductor\.io\/token-file \/run\/lease cannot/,
    ],
    [
      "token-file in a read-only volume",
      {
        containers: [{ ...MAIN, volumeMounts: [{ name: "config", mountPath: "/etc/app" }] }],
        volumes: [{ name: "config", configMap: { name: "app" } }],
      },
      "/etc/app/lease",
      /^spec\.containers\[0\]\.volumeMounts\[0\]\.mountPath: Invalid value: "\/etc\/app": it is read-only/,
    ],
  ])("refuses %s in one sentence", (_name, spec, tokenFile, sentence) => {
    const pod = podWith(spec, marked({ "token-file": tokenFile }));
    expect(() => planPod(pod, NAMESPACE, contextWith(), ALONE)).toThrow(sentence);
  });

  it.each([
    ["beside it", "/run/lease-of-mine"],
    ["around it, writable", "/run"],
    ["around everything", "/"],
  ])("allows mounts that leave a place for token-file: %s", (_name, mountPath) => {
    const containers = [{ ...MAIN, volumeMounts: [{ name: "data", mountPath }] }];
    const initContainers = [{ ...ISTIO.proxy, volumeMounts: [{ name: "istio", mountPath: "/run/lease" }] }];
    const pod = podWith({ containers, initContainers }, inIstio(marked({ "token-file": "/run/lease" })));
    expect(planPod(pod, NAMESPACE, contextWith(), ALONE).settings.tokenFile).toBe("/run/lease");
  });
});
