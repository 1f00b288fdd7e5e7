import jsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import type { Container, Metadata, PodSpec, PodTemplate } from "../../../src/server/admission/objects.ts";
import { diffPod } from "../../../src/server/admission/patch.ts";
import { GATE_BOOT } from "../../../src/shared/names.ts";
import {
  contextWith,
  INJECTION,
  ISTIO,
  inIstio,
  init,
  inject,
  MAIN,
  marked,
  podWith,
  sidecar,
} from "./fixtures.ts";

const CONTEXT = contextWith();

const names = (pod: PodTemplate) => pod.spec.initContainers?.map(({ name }) => name);
const own = (pod: PodTemplate, name: string) => {
  const container = pod.spec.initContainers?.find((candidate) => candidate.name === name);
  if (!container) throw new Error(`${name} was not injected`);
  return container;
};
const gateOf = (pod: PodTemplate) => own(pod, "konductor-gate");
const keeperOf = (pod: PodTemplate) => own(pod, "konductor-keeper");
const envOf = ({ env = [] }: Container) => Object.fromEntries(env.map(({ name, value }) => [name, value]));

/** `pod` after another webhook has made `change` to its init containers. */
const changed = (pod: PodTemplate, change: (container: Container) => Container): PodTemplate => ({
  ...pod,
  spec: { ...pod.spec, initContainers: (pod.spec.initContainers ?? []).map(change) },
});

const evictable = (names = "konductor-state,konductor-trust") => ({
  "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": names,
});

describe("injectPod", () => {
  it("adds the Secrets by which our image is pulled to the pod's own, once", () => {
    const injection = { ...INJECTION, imagePullSecrets: ["ours", "shared"] };
    const pod = podWith({ imagePullSecrets: [{ name: "users" }, { name: "shared" }] });
    const injected = inject(pod, CONTEXT, injection);
    expect(injected.spec["imagePullSecrets"]).toEqual([
      { name: "users" },
      { name: "shared" },
      { name: "ours" },
    ]);
    expect(diffPod(injected, inject(injected, CONTEXT, injection))).toEqual([]);
    expect(inject(podWith()).spec).not.toHaveProperty("imagePullSecrets");
  });

  it("lists our volumes as safe to evict, after those that the user lists", () => {
    const pod = podWith();
    const given = (names: string) => ({
      ...pod,
      metadata: { ...pod.metadata, annotations: evictable(names) },
    });
    expect(inject(given("cache,scratch")).metadata?.annotations).toMatchObject(
      evictable("cache,scratch,konductor-state,konductor-trust"),
    );
    expect(inject(inject(given("cache"))).metadata?.annotations).toMatchObject(
      evictable("cache,konductor-state,konductor-trust"),
    );
    expect(inject(podWith({}, marked({ "token-file": "/run/lease" }))).metadata?.annotations).toMatchObject(
      evictable("konductor-state,konductor-trust,konductor-lease"),
    );
  });

  // istio#5810: with the plugin AlwaysPullImages the API server refuses any other policy than Always.
  it("lets others have our image pulled always, but never less often", () => {
    const given = (imagePullPolicy: string) => {
      const pod = inject(podWith());
      return inject(changed(pod, (container) => ({ ...container, imagePullPolicy })));
    };
    const policies = (pod: PodTemplate) =>
      [gateOf(pod), keeperOf(pod)].map((each) => each["imagePullPolicy"]);
    expect(policies(given("Always"))).toEqual(["Always", "Always"]);
    expect(policies(given("Never"))).toEqual(["IfNotPresent", "IfNotPresent"]);
  });

  // vault-k8s#59, linkerd2#10879: an SCC of OpenShift sets a user from the namespace's range, and refuses any other.
  it("lets the cluster set the user only where the install names none", () => {
    const injection = { ...INJECTION, runAsUser: undefined };
    const pod = inject(podWith(), CONTEXT, injection);
    expect(gateOf(pod).securityContext).not.toHaveProperty("runAsUser");
    const chosen = { runAsUser: 1_000_680_000, runAsGroup: 0 };
    const given = changed(pod, (container) => ({
      ...container,
      securityContext: { ...container.securityContext, ...chosen },
    }));
    expect(keeperOf(inject(given, CONTEXT, injection)).securityContext).toMatchObject({
      runAsNonRoot: true,
      ...chosen,
    });
    expect(keeperOf(inject(given)).securityContext).toMatchObject({ runAsUser: 65_532, runAsGroup: 65_532 });
  });

  it("starts gate, keeper and preStop with the image's own Node.js", () => {
    const pod = inject(podWith(), CONTEXT, { ...INJECTION, nodePath: "/usr/local/bin/node" });
    const program = ["/usr/local/bin/node", "/konductor/gate.js"];
    expect([gateOf(pod).command, keeperOf(pod).command]).toEqual([program, program]);
    expect(keeperOf(pod).lifecycle).toEqual({ preStop: { exec: { command: [...program, "announce"] } } });
  });

  it("gives gate and keeper their program where the image has Node alone", () => {
    const injection = { ...INJECTION, nodePath: "/usr/local/bin/node", program: "cHJvZ3JhbQ==" } as const;
    const pod = inject(podWith(), CONTEXT, injection);
    const program = ["/usr/local/bin/node", "-e", GATE_BOOT];
    for (const container of [gateOf(pod), keeperOf(pod)]) {
      expect(container.command).toEqual(program);
      expect(envOf(container)).toMatchObject({ KONDUCTOR_PROGRAM: "cHJvZ3JhbQ==" });
    }
    expect(keeperOf(pod).lifecycle).toEqual({ preStop: { exec: { command: [...program, "announce"] } } });
    expect(diffPod(pod, inject(pod, CONTEXT, injection))).toEqual([]);
    const other = changed(pod, (container) => ({
      ...container,
      env: [...(container.env ?? []), { name: "KONDUCTOR_PROGRAM", value: "b3RoZXI=" }],
    }));
    expect(inject(other, CONTEXT, injection)).toEqual(pod);
    expect(inject(pod)).toEqual(inject(podWith()));
    expect(envOf(gateOf(inject(pod)))).not.toHaveProperty("KONDUCTOR_PROGRAM");
  });

  // The kubelet puts variables in the place of $(NAME) in a command.
  it("starts programs by a script that the kubelet leaves as it is", () => {
    expect(GATE_BOOT).not.toContain("$(");
  });

  it("adds gate and keeper as designed", () => {
    const pod = inject(podWith());
    const gate = gateOf(pod);
    expect(gate).toMatchObject({
      image: "konductor:0.1.0",
      imagePullPolicy: "IfNotPresent",
      command: ["/usr/bin/node", "/konductor/gate.js"],
      args: ["gate"],
      terminationMessagePolicy: "FallbackToLogsOnError",
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumeMounts: [
        { name: "konductor-token", mountPath: "/var/run/secrets/konductor.io", readOnly: true },
        { name: "konductor-state", mountPath: "/run/konductor" },
        { name: "konductor-trust", mountPath: "/run/konductor-trust" },
      ],
    });
    expect(gate).not.toHaveProperty("restartPolicy");
    expect(envOf(gate)).toEqual({
      KONDUCTOR_URL: INJECTION.url,
      KONDUCTOR_HOST: INJECTION.host,
      KONDUCTOR_CA: INJECTION.ca,
      KONDUCTOR_LEASE: "nightly",
      KONDUCTOR_FENCING: "true",
      KONDUCTOR_STOP_MS: "5000",
      KONDUCTOR_RERUN: "true",
      KONDUCTOR_ON_LOST: "terminate",
      KONDUCTOR_TRUST_DIR: "/run/konductor-trust",
    });
    const keeper = keeperOf(pod);
    expect(keeper).toMatchObject({
      args: ["keep"],
      restartPolicy: "Always",
      lifecycle: { preStop: { exec: { command: ["/usr/bin/node", "/konductor/gate.js", "announce"] } } },
      restartPolicyRules: [{ action: "RestartAllContainers", exitCodes: { operator: "In", values: [75] } }],
    });
    expect(keeper.securityContext).toEqual(gate.securityContext);
    expect(keeper.env).toEqual(gate.env);
    expect(pod.spec.volumes).toEqual([
      {
        name: "konductor-token",
        projected: {
          sources: [
            { serviceAccountToken: { audience: "konductor.io", path: "token", expirationSeconds: 3600 } },
          ],
          defaultMode: 0o644,
        },
      },
      { name: "konductor-state", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "konductor-trust", emptyDir: { sizeLimit: "1Mi" } },
    ]);
    expect(pod.metadata?.annotations).toEqual({ "konductor.io/injected": "0.1.0", ...evictable() });
  });

  it.each<[string, Partial<PodSpec>, Metadata, Record<string, string>]>([
    ["restartPolicy Never", { restartPolicy: "Never" }, marked(), { KONDUCTOR_RERUN: "false" }],
    ["restartPolicy OnFailure", { restartPolicy: "OnFailure" }, marked(), { KONDUCTOR_RERUN: "true" }],
    [
      "on-lost",
      {},
      marked({ "on-lost": "continue" }),
      { KONDUCTOR_ON_LOST: "continue", KONDUCTOR_FENCING: "false" },
    ],
    ["another Lease", {}, marked({}, "db.migration"), { KONDUCTOR_LEASE: "db.migration" }],
  ])("tells gate and keeper of %s", (_name, spec, metadata, expected) => {
    const pod = inject(podWith(spec, metadata));
    expect(envOf(gateOf(pod))).toMatchObject(expected);
    expect(envOf(keeperOf(pod))).toMatchObject(expected);
  });

  it("injects no restart rule where the pod cannot fence", () => {
    const pod = inject(podWith(), contextWith({ features: () => ({ canFence: () => false }) }));
    expect(keeperOf(pod)).not.toHaveProperty("restartPolicyRules");
    expect(envOf(keeperOf(pod))).toMatchObject({ KONDUCTOR_FENCING: "false" });
  });

  it.each<[string, Container[], string[]]>([
    ["nothing", [], ["GATE"]],
    ["the user's own", [init("setup"), sidecar("logs")], ["GATE", "setup", "logs"]],
    ["a mesh", [ISTIO.init, ISTIO.proxy, init("setup")], ["istio-init", "istio-proxy", "GATE", "setup"]],
    ["a mesh after the user's own", [init("setup"), ISTIO.proxy], ["GATE", "setup", "istio-proxy"]],
    ["a mesh's name", [sidecar("istio-proxy"), ISTIO.init], ["GATE", "istio-proxy", "istio-init"]],
  ])(
    "puts gate and keeper after meshes and before the user's init containers: %s",
    (_name, initContainers, expected) => {
      const place = expected.flatMap((name) =>
        name === "GATE" ? ["konductor-gate", "konductor-keeper"] : [name],
      );
      expect(names(inject(podWith({ initContainers }, inIstio())))).toEqual(place);
    },
  );

  it("leaves the user's containers and volumes as they are", () => {
    const containers = [
      { ...MAIN, livenessProbe: { terminationGracePeriodSeconds: 2 }, odd: [1, { a: null }] },
    ];
    const initContainers = [{ ...init("setup"), args: ["x"] }];
    const volumes = [{ name: "data", emptyDir: {} }];
    const before = podWith({ containers, initContainers, volumes });
    const copy = structuredClone(before);
    const after = inject(before);
    expect(before).toEqual(copy);
    expect(after.spec.containers).toEqual(copy.spec.containers);
    expect(after.spec.initContainers?.slice(2)).toEqual(copy.spec.initContainers);
    expect(after.spec.volumes?.[0]).toEqual(copy.spec.volumes?.[0]);
  });
});

describe("gate: scheduling", () => {
  const waits = {
    ...podWith({ schedulingGates: [{ name: "example.com/quota" }] }),
    metadata: marked({ gate: "scheduling" }),
  };

  it("adds our scheduling gate beside others, once", () => {
    const gates = [{ name: "example.com/quota" }, { name: "konductor.io/lease" }];
    const injected = inject(waits);
    expect(injected.spec.schedulingGates).toEqual(gates);
    expect(inject(injected).spec.schedulingGates).toEqual(gates);
    expect(names(injected)).toContain("konductor-gate");
  });

  it("is the only mode that adds it", () => {
    expect(inject(podWith()).spec.schedulingGates).toBeUndefined();
  });

  it("is not implied by our scheduling gate, which a copied pod may bring along", () => {
    const others = [{ name: "example.com/quota" }];
    const schedulingGates = [{ name: "konductor.io/lease" }, ...others];
    expect(inject(podWith({ schedulingGates })).spec.schedulingGates).toEqual(others);
  });
});

describe("a second pass", () => {
  const once = () => inject(podWith({ initContainers: [init("setup")] }));

  it("changes nothing", () => {
    const pod = once();
    expect(diffPod(pod, inject(pod))).toEqual([]);
  });

  it("keeps what the API server and policies for resources and security added to our containers", () => {
    const pod = once();
    const { securityContext } = gateOf(pod);
    Object.assign(gateOf(pod), {
      terminationMessagePath: "/dev/termination-log",
      resources: { requests: { cpu: "25m" } },
      securityContext: { ...securityContext, appArmorProfile: { type: "RuntimeDefault" } },
    });
    expect(diffPod(pod, inject(pod))).toEqual([]);
  });

  it("keeps another registry for our image if the version is the same", () => {
    const pod = once();
    for (const image of [
      "mirror.example.com/cache/konductor:0.1.0",
      `konductor:0.1.0@sha256:${"0".repeat(64)}`,
    ]) {
      for (const container of [gateOf(pod), keeperOf(pod)]) Object.assign(container, { image });
      expect(diffPod(pod, inject(pod))).toEqual([]);
    }
    Object.assign(gateOf(pod), { image: "mirror.example.com/cache/konductor:0.0.9" });
    expect(gateOf(inject(pod))["image"]).toBe("konductor:0.1.0");
    const [digest, earlier] = ["1", "0"].map((digit) => `sha256:${digit.repeat(64)}`);
    const pinned = { ...INJECTION, image: `example.com/konductor@${digest}` };
    for (const [image, kept] of [
      [`mirror.example.com/konductor@${digest}`, `mirror.example.com/konductor@${digest}`],
      [`example.com/konductor@${earlier}`, pinned.image],
      ["mirror.example.com/konductor", pinned.image],
    ]) {
      Object.assign(gateOf(pod), { image });
      expect(gateOf(inject(pod, CONTEXT, pinned))["image"]).toBe(kept);
    }
  });

  it.each<[string, Partial<Container>]>([
    ["environment variables", { env: [{ name: "NODE_OPTIONS", value: "--import=/data/run-first.js" }] }],
    ["environment variables from a ConfigMap", { envFrom: [{ configMapRef: { name: "run-first" } }] }],
    ["a volume over our program", { volumeMounts: [{ name: "data", mountPath: "/konductor" }] }],
    ["another path for its termination message", { terminationMessagePath: "/run/konductor/hold.json" }],
    ["a working directory", { workingDir: "/data" }],
    ["another image", { image: "example.com/run-first:1" }],
    ["rights", { securityContext: { privileged: true, procMount: "Unmasked" } }],
    ["a hook", { lifecycle: { postStart: { exec: { command: ["/data/run-first"] } } } }],
    ["a probe", { livenessProbe: { exec: { command: ["/data/run-first"] } } as object }],
  ])("removes from containers that look like ours whatever could change what they run: %s", (_, forged) => {
    const program = { command: ["/usr/bin/node", "/konductor/gate.js"] };
    const containers = [
      { ...program, name: "konductor-gate", args: ["gate"], ...forged },
      { ...program, name: "konductor-keeper", args: ["keep"], restartPolicy: "Always", ...forged },
    ];
    const volumes = [{ name: "data", emptyDir: {} }];
    const clean = inject(podWith({ volumes }));
    expect(inject(podWith({ initContainers: containers, volumes }))).toEqual(clean);
  });

  it("moves our containers behind a mesh that was added since, and counts the mesh's stop", () => {
    const pod = once();
    pod.spec.initContainers?.push(ISTIO.proxy);
    pod.spec.initContainers?.reverse();
    const again = inject({ ...pod, metadata: inIstio(pod.metadata) });
    expect(names(again)).toEqual(["istio-proxy", "konductor-gate", "konductor-keeper", "setup"]);
    expect(envOf(keeperOf(again))).toMatchObject({ KONDUCTOR_STOP_MS: "7000" });
  });

  it("brings a copied pod up to date: lease, version, image, and the restart rule that is no longer allowed", () => {
    const copied = { ...once(), metadata: marked({ injected: "0.0.9" }, "other") };
    const context = contextWith({ features: () => ({ canFence: () => false }) });
    const pod = inject(copied, context, { ...INJECTION, image: "konductor:0.2.0", version: "0.2.0" });
    expect(names(pod)).toEqual(["konductor-gate", "konductor-keeper", "setup"]);
    expect(gateOf(pod)).toMatchObject({ image: "konductor:0.2.0" });
    expect(envOf(gateOf(pod))).toMatchObject({ KONDUCTOR_LEASE: "other" });
    expect(keeperOf(pod)).not.toHaveProperty("restartPolicyRules");
    expect(pod.metadata?.annotations).toEqual({ "konductor.io/injected": "0.2.0", ...evictable() });
    expect(pod.spec.volumes).toHaveLength(3);
  });
});

describe("diffPod", () => {
  const applied = (before: PodTemplate, after: PodTemplate) =>
    jsonPatch.applyPatch(structuredClone(before), diffPod(before, after)).newDocument;

  it.each<[string, PodTemplate]>([
    ["no init containers", podWith()],
    ["an empty list of init containers", podWith({ initContainers: [] })],
    ["some init containers", podWith({ initContainers: [ISTIO.proxy, init("a"), init("b")] }, inIstio())],
    ["no annotations, but volumes of the user", podWith({ volumes: [{ name: "data" }] })],
  ])("leads from a pod with %s to what was planned", (_name, before) => {
    const after = inject(before);
    expect(applied(before, after)).toEqual(after);
  });

  it("leads to the plan even if our containers are incomplete or in the wrong place", () => {
    const before = inject(podWith({ initContainers: [init("a"), init("b")] }));
    before.spec.initContainers?.reverse();
    before.spec.initContainers =
      before.spec.initContainers?.filter(({ name }) => name !== "konductor-gate") ?? [];
    expect(applied(before, inject(before))).toEqual(inject(before));
    expect(names(inject(before))).toEqual(["konductor-gate", "konductor-keeper", "b", "a"]);
  });

  it("never writes one of the user's containers", () => {
    const patch = diffPod(...pair(podWith({ initContainers: [init("a"), init("b")] })));
    expect(JSON.stringify(patch)).not.toContain('"a"');
    expect(patch.map(({ op, path }) => `${op} ${path}`).slice(0, 2)).toEqual([
      "add /spec/initContainers/0",
      "add /spec/initContainers/1",
    ]);
  });

  function pair(before: PodTemplate): [PodTemplate, PodTemplate] {
    return [before, inject(before)];
  }
});
