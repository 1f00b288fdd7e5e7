/** Containers that may run before a pod holds: those that a mesh's injector added, and no others with the same names. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { leadingMesh } from "../../../src/server/admission/mesh.ts";
import type { Container } from "../../../src/server/admission/objects.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import { ALONE, contextWith, ISTIO, inIstio, marked, NAMESPACE, podWith } from "./fixtures.ts";

const variable = (name: string) => [{ name, value: "x" }];
const script = (lines: string) => ["/bin/sh", "-ec", lines];
const CONNECT = [
  `consul-k8s-control-plane connect-init -pod-name=\${POD_NAME} -pod-namespace=\${POD_NAMESPACE}`,
  "-log-level=info",
  "-log-json=false",
].join(" \\\n  ");

interface Sample {
  mesh: string;
  annotations: Record<string, string>;
  containers: Container[];
}

/** Containers and annotations as each mesh's injector writes them. */
const INJECTED: Sample[] = [
  { mesh: "Istio", annotations: ISTIO.annotations, containers: [ISTIO.init, ISTIO.proxy] },
  {
    mesh: "Istio",
    annotations: { "sidecar.istio.io/status": '{"initContainers":["istio-validation","istio-proxy"]}' },
    containers: [
      { name: "istio-validation", args: ["istio-iptables", "-p", "15001", "--run-validation"] },
      ISTIO.proxy,
    ],
  },
  {
    mesh: "Linkerd",
    annotations: { "linkerd.io/proxy-version": "edge-26.10.1" },
    containers: [
      { name: "linkerd-init", args: ["--ipv6=false", "--incoming-proxy-port", "4143"] },
      {
        name: "linkerd-network-validator",
        command: ["/usr/lib/linkerd/linkerd2-network-validator"],
        args: ["--log-format", "plain"],
      },
      {
        name: "linkerd-proxy",
        env: variable("LINKERD2_PROXY_INBOUND_LISTEN_ADDR"),
        restartPolicy: "Always",
      },
    ],
  },
  {
    mesh: "Kuma",
    annotations: { "kuma.io/sidecar-injected": "true" },
    containers: [
      {
        name: "kuma-init",
        command: ["/usr/bin/kumactl", "install", "transparent-proxy"],
        args: ["--config-file=/tmp/.kumactl"],
      },
      {
        name: "kuma-validation",
        command: ["/usr/bin/kumactl", "install", "transparent-proxy-validator"],
        args: ["--config-file=/tmp/.kumactl"],
      },
      {
        name: "kuma-sidecar",
        args: ["run", "--log-level=info"],
        env: variable("KUMA_CONTROL_PLANE_URL"),
        restartPolicy: "Always",
      },
    ],
  },
  {
    mesh: "Consul",
    annotations: { "consul.hashicorp.com/connect-inject-status": "injected" },
    containers: [
      {
        name: "consul-connect-inject-init",
        command: script(`${CONNECT} \\`),
        env: variable("CONSUL_ADDRESSES"),
      },
      {
        name: "consul-dataplane",
        args: ["-addresses", "consul-server.consul.svc"],
        env: variable("DP_SERVICE_NODE_NAME"),
        restartPolicy: "Always",
      },
    ],
  },
];
const EACH = INJECTED.flatMap(({ mesh, annotations, containers }) =>
  containers.map((container) => {
    const others = containers.filter((other) => other !== container);
    return { mesh, name: container.name, container, others, annotations };
  }),
);

const leading = (initContainers: Container[], annotations: Sample["annotations"]) =>
  leadingMesh(podWith({ initContainers }, { ...marked(), annotations }));

describe("leadingMesh", () => {
  it.each(INJECTED)("recognizes what the injector of $mesh added", ({ mesh, annotations, containers }) => {
    const found = leading([...containers, { name: "setup" }], annotations);
    expect(found).toEqual(containers.map(({ name }) => ({ name, mesh })));
  });

  it.each(EACH)(
    "does not recognize $mesh's $name by its name alone",
    ({ name, container, others, annotations }) => {
      const { restartPolicy } = container;
      const named: Container = { name, ...(restartPolicy && { restartPolicy }) };
      for (const other of [named, { ...named, command: ["sh", "-c", "work"] }])
        expect(leading([other, ...others], annotations)).toEqual([]);
    },
  );

  it.each(EACH)(
    "does not recognize $mesh's $name if it runs something else",
    ({ container, others, annotations }) => {
      const other = { ...container, command: ["sh", "-c", "work"] };
      expect(leading([other, ...others], annotations)).toEqual([]);
    },
  );

  it.each(EACH)(
    "does not recognize $mesh's $name as another kind of container",
    ({ container, others, annotations }) => {
      const { restartPolicy, ...init } = container;
      const other: Container = restartPolicy ? init : { ...init, restartPolicy: "Always" };
      expect(leading([other, ...others], annotations)).toEqual([]);
    },
  );

  it.each(EACH)(
    "does not recognize $mesh's $name in a pod that no mesh or only another mesh has marked",
    ({ mesh, container, others }) => {
      const foreign = INJECTED.filter((other) => other.mesh !== mesh);
      for (const { annotations } of [{ annotations: {} }, ...foreign])
        expect(leading([container, ...others], annotations)).toEqual([]);
    },
  );

  // linkerd2#4758, istio#27382: a container that waits behind the redirection reaches nobody.
  it.each(INJECTED)(
    "leaves $mesh's init containers behind the gate if the proxy starts with main",
    (sample) => {
      const init = sample.containers.filter(({ restartPolicy }) => restartPolicy !== "Always");
      expect(leading(init, sample.annotations)).toEqual([]);
    },
  );

  it.each([
    ["names other containers", '{"initContainers":["istio-init"],"containers":["istio-proxy"]}'],
    ["is no JSON", "injected"],
    ["is no object", '["istio-proxy"]'],
  ])("does not recognize Istio's proxy if the injector's record %s", (_, status) => {
    expect(leading([ISTIO.proxy], { "sidecar.istio.io/status": status })).toEqual([]);
  });

  it.each(["; work", "\nwork", " $(work)", " `work`", " | work", " && work", " > /work"])(
    "does not recognize a script that does more than Consul's, such as %j",
    (more) => {
      const container = (lines: string) => ({
        name: "consul-connect-inject-init",
        command: script(lines),
        env: variable("CONSUL_ADDRESSES"),
      });
      const annotations = { "consul.hashicorp.com/connect-inject-status": "injected" };
      const proxy = INJECTED.find(({ mesh }) => mesh === "Consul")?.containers.slice(1) ?? [];
      expect(leading([container(CONNECT), ...proxy], annotations)).toHaveLength(2);
      expect(leading([container(`${CONNECT}${more}`), ...proxy], annotations)).toEqual([]);
    },
  );
});

it("a mesh's container causes a warning, since it runs without a hold", () => {
  const initContainers = [ISTIO.init, ISTIO.proxy, { name: "setup" }];
  const plan = (metadata = marked()) =>
    planPod(podWith({ initContainers }, metadata), NAMESPACE, contextWith(), ALONE);
  expect(plan(inIstio()).warnings).toEqual([
    "spec.initContainers: istio-init (Istio), istio-proxy (Istio) may run before the pod holds klease nightly, as a service mesh's own",
  ]);
  expect(plan().warnings).toEqual([]);
});

describe("the policy on labelled pods", () => {
  it.each(EACH)("also lets $mesh's $name stand before the gate", async ({ name }) => {
    const policy = await readFile(join(import.meta.dirname, "../../../webhook-config/pods.yaml"), "utf8");
    expect(policy).toContain(`'${name}'`);
  });
});
