import { describe, expect, it } from "vitest";
import type { Metadata, PodSpec } from "../../../src/server/admission/objects.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import { ALONE, contextWith, MAIN, marked, NAMESPACE, podWith } from "./fixtures.ts";

const POST_START = { ...MAIN, lifecycle: { postStart: {} } };
const PROBED = { ...MAIN, livenessProbe: {} };
const HANDED_ON =
  "if it loses touch with konductor, klease nightly is handed on only once it has provably ended";

describe("planPod", () => {
  it("plans an ordinary pod without warnings", () => {
    expect(planPod(podWith(), NAMESPACE, contextWith(), ALONE)).toMatchObject({
      settings: { lease: "nightly" },
      stopMs: 5_000,
      selfFencing: true,
      warnings: [],
    });
  });

  it.each<[string, Partial<PodSpec>, Metadata, RegExp]>([
    [
      "a bad annotation",
      {},
      marked({ ttl: "10" }),
      /^metadata\.annotations\[konductor\.io\/ttl\]: Invalid value: "10": /,
    ],
    [
      "a lease name",
      {},
      marked({}, "Nightly"),
      /^metadata\.labels\[konductor\.io\/lease\]: Invalid value: "Nightly": /,
    ],
    [
      "a named node for a pod that waits to be scheduled",
      { nodeName: "node-1" },
      marked({ gate: "scheduling" }),
      /^spec\.nodeName: Invalid value: "node-1": with konductor\.io\/gate "scheduling" no node may be named/,
    ],
    [
      "a wait-timeout where nobody waits",
      {},
      marked({ "if-held": "fail", "wait-timeout": "5m" }),
      /^metadata\.annotations\[konductor\.io\/wait-timeout\]: Invalid value: "5m": with konductor\.io\/if-held "fail" nobody waits/,
    ],
    [
      "a wait-timeout that no gate can apply",
      {},
      marked({ gate: "scheduling", "wait-timeout": "5m" }),
      /^metadata\.annotations\[konductor\.io\/wait-timeout\]: Invalid value: "5m": with konductor\.io\/gate "scheduling" the gate runs only after the grant/,
    ],
    [
      "a denial that no gate can report",
      {},
      marked({ gate: "scheduling", "if-held": "fail" }),
      /^metadata\.annotations\[konductor\.io\/if-held\]: Invalid value: "fail": with konductor\.io\/gate "scheduling" the gate runs only after the grant/,
    ],
    [
      "a handover that main would survive",
      {},
      marked({ "on-lost": "continue", "max-restarts": "3" }),
      /^metadata\.annotations\[konductor\.io\/max-restarts\]: Invalid value: "3": with konductor\.io\/on-lost "continue" main would go on/,
    ],
    [
      "a limit to restarts that never happen",
      { restartPolicy: "Never" },
      marked({ "max-restarts": "3" }),
      /^metadata\.annotations\[konductor\.io\/max-restarts\]: Invalid value: "3": with restartPolicy Never nothing is restarted/,
    ],
    [
      "Windows by its os",
      { os: { name: "windows" } },
      marked(),
      /^spec\.os\.name: Invalid value: "windows": only Linux pods/,
    ],
    [
      "Windows by its nodeSelector",
      { nodeSelector: { "kubernetes.io/os": "windows" } },
      marked(),
      /^spec\.nodeSelector\[kubernetes\.io\/os\]: Invalid value: "windows": only Linux pods/,
    ],
    [
      "a static pod's mirror",
      {},
      { ...marked(), annotations: { "kubernetes.io/config.mirror": "abc" } },
      /^metadata\.annotations\[kubernetes\.io\/config\.mirror\]: Invalid value: "abc": a static pod cannot wait/,
    ],
    [
      "a container with our name",
      { containers: [MAIN, { name: "konductor-keeper" }] },
      marked(),
      /^spec\.containers\[1\]\.name: Invalid value: "konductor-keeper": the name is konductor's own/,
    ],
    [
      "an init container with our name that runs something else",
      { initContainers: [{ name: "konductor-gate", command: ["true"] }] },
      marked(),
      /^spec\.initContainers\[0\]\.name: Invalid value: "konductor-gate"/,
    ],
    [
      "a container that mounts our token",
      { containers: [{ ...MAIN, volumeMounts: [{ name: "konductor-token", mountPath: "/token" }] }] },
      marked(),
      /^spec\.containers\[0\]\.volumeMounts\[0\]\.name: Invalid value: "konductor-token": only konductor's own containers may/,
    ],
    [
      "an init container that mounts the state of gate and keeper",
      { initContainers: [{ name: "setup", volumeMounts: [{ name: "konductor-state", mountPath: "/run" }] }] },
      marked(),
      /^spec\.initContainers\[0\]\.volumeMounts\[0\]\.name: Invalid value: "konductor-state"/,
    ],
    [
      "a container that would change whom gate and keeper trust",
      { containers: [{ ...MAIN, volumeMounts: [{ name: "konductor-trust", mountPath: "/run" }] }] },
      marked(),
      /^spec\.containers\[0\]\.volumeMounts\[0\]\.name: Invalid value: "konductor-trust"/,
    ],
    [
      "a volume with the name of where they keep that",
      { volumes: [{ name: "konductor-trust" }] },
      marked(),
      /^spec\.volumes\[0\]\.name: Invalid value: "konductor-trust"/,
    ],
    [
      "a volume with our name",
      { volumes: [{ name: "data" }, { name: "konductor-state" }] },
      marked(),
      /^spec\.volumes\[1\]\.name: Invalid value: "konductor-state"/,
    ],
    [
      "a volume of any name with another token for our audience",
      {
        volumes: [
          { name: "data" },
          {
            name: "mine",
            projected: {
              sources: [
                { configMap: { name: "x" } },
                { serviceAccountToken: { audience: "konductor.io", path: "t" } },
              ],
            },
          },
        ],
      },
      marked(),
      /^spec\.volumes\[1\]\.projected\.sources\[1\]\.serviceAccountToken\.audience: Invalid value: "konductor\.io": .* any other is allowed$/,
    ],
    [
      "a volume with the name of token-file's volume",
      { volumes: [{ name: "konductor-lease" }] },
      marked(),
      /^spec\.volumes\[0\]\.name: Invalid value: "konductor-lease"/,
    ],
  ])("refuses %s in one sentence", (_name, spec, metadata, sentence) => {
    expect(() => planPod(podWith(spec, metadata), NAMESPACE, contextWith(), ALONE)).toThrow(sentence);
  });

  it("refuses max-restarts where the Job holds as a whole", () => {
    const pod = podWith({}, marked({ gate: "job", "max-restarts": "3" }));
    expect(() => planPod(pod, NAMESPACE, contextWith(), { path: "", job: {} })).toThrow(
      /^metadata\.annotations\[konductor\.io\/max-restarts\]: Invalid value: "3": with konductor\.io\/gate "job" it has no effect/,
    );
  });

  it.each(["kube-system", "konductor-system"])("refuses the label in %s", (namespace) => {
    expect(() => planPod(podWith(), namespace, contextWith(), ALONE)).toThrow(
      `the label konductor.io/lease is not allowed in namespace ${namespace}`,
    );
  });

  it("names fields of a template by their path in the owner", () => {
    const plan = () =>
      planPod(podWith({ os: { name: "windows" } }), NAMESPACE, contextWith(), {
        path: "spec.template.",
        job: undefined,
      });
    expect(plan).toThrow(/^spec\.template\.spec\.os\.name: /);
  });

  it.each<[string, Partial<PodSpec>, Metadata, boolean, string[]]>([
    ["host network and a node name are fine", { hostNetwork: true, nodeName: "n1" }, marked(), true, []],
    ["stop is exactly half of the ttl", { containers: [PROBED] }, marked({ ttl: "70s" }), true, []],
    [
      "stop is more than half of the ttl",
      { containers: [PROBED] },
      marked({ ttl: "69s" }),
      false,
      [
        `stopping this pod may take 35s, more than half of its ttl 1m9s: ${HANDED_ON}; konductor.io/ttl of at least 1m10s avoids that`,
      ],
    ],
    [
      "a postStart hook",
      { containers: [POST_START] },
      marked(),
      false,
      [
        `a container has a postStart hook, which may delay stopping it, so this pod cannot stop itself in time: ${HANDED_ON}`,
      ],
    ],
    [
      "on-lost: continue never fences, without a warning",
      { containers: [POST_START] },
      marked({ "on-lost": "continue" }),
      false,
      [],
    ],
    [
      "activeDeadlineSeconds",
      { activeDeadlineSeconds: 60 },
      marked(),
      true,
      [
        "spec.activeDeadlineSeconds: waiting for the klease counts against these 60s; set the annotation konductor.io/if-held " +
          "to show that this is meant",
      ],
    ],
    [
      "activeDeadlineSeconds that is intended",
      { activeDeadlineSeconds: 60 },
      marked({ "if-held": "wait" }),
      true,
      [],
    ],
  ])("%s", (_name, spec, metadata, selfFencing, warnings) => {
    expect(planPod(podWith(spec, metadata), NAMESPACE, contextWith(), ALONE)).toMatchObject({
      selfFencing,
      warnings,
    });
  });

  it("neither fences nor warns where the cluster cannot fence", () => {
    const context = contextWith({ features: () => ({ canFence: () => false }) });
    expect(planPod(podWith({ containers: [POST_START] }), NAMESPACE, context, ALONE)).toMatchObject({
      selfFencing: false,
      warnings: [],
    });
  });

  it("uses the Lease's ttl where the pod sets none", () => {
    const context = contextWith({}, { nightly: 60_000 });
    expect(planPod(podWith({ containers: [PROBED] }), NAMESPACE, context, ALONE).selfFencing).toBe(false);
  });

  it.each([
    ["32Mi", ["spec.resources.limits.memory: 32Mi is shared with konductor's keeper"]],
    ["96Mi", []],
  ])("warns if a pod's memory of %s has no room for the keeper", (memory, warnings) => {
    const pod = podWith({ resources: { limits: { memory } } });
    expect(planPod(pod, NAMESPACE, contextWith(), ALONE).warnings).toEqual(
      warnings.map((start) => expect.stringContaining(start)),
    );
  });

  it.each([
    [
      "s390x",
      ["spec.nodeSelector[kubernetes.io/arch]: konductor's image was built for amd64, arm64; on s390x"],
    ],
    ["amd64", []],
    ["arm64", []],
  ])("warns if konductor's image cannot run on %s", (arch, warnings) => {
    const pod = podWith({ nodeSelector: { "kubernetes.io/arch": arch } });
    expect(planPod(pod, NAMESPACE, contextWith(), ALONE).warnings).toEqual(
      warnings.map((start) => expect.stringContaining(start)),
    );
  });

  it.each<[string, Metadata, boolean, Record<string, number>, string[]]>([
    [
      "will be created",
      marked(),
      true,
      {},
      ["klease nightly does not exist in namespace team-a; it will be created with ttl 10m"],
    ],
    [
      "will be created with the pod's ttl",
      marked({ ttl: "1h30m" }),
      true,
      {},
      ["klease nightly does not exist in namespace team-a; it will be created with ttl 1h30m"],
    ],
    [
      "is not created",
      marked(),
      false,
      {},
      ["klease nightly does not exist in namespace team-a; pods wait until somebody creates it"],
    ],
    [
      "has too short a ttl for a pod",
      marked(),
      true,
      { nightly: 5_000 },
      ["klease nightly has a ttl of 5s; a pod holds it for at least 15s after its last renewal"],
    ],
    ["is too short, but the pod says its own", marked({ ttl: "1m" }), true, { nightly: 5_000 }, []],
  ])("warns of a Lease that %s", (_name, metadata, createMissingLeases, leases, warnings) => {
    const context = contextWith({ createMissingLeases }, leases);
    expect(planPod(podWith({}, metadata), NAMESPACE, context, ALONE).warnings).toEqual(warnings);
  });

  it("tells every author what the install wants to be known, after what concerns the pod", () => {
    const context = contextWith({ notices: ["this is a trial"] }, {});
    expect(planPod(podWith(), NAMESPACE, context, ALONE).warnings).toEqual([
      expect.stringContaining("does not exist"),
      "this is a trial",
    ]);
  });
});
