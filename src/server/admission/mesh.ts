/**
 * The containers of service meshes, which must stand before ours: without the mesh's redirection and its proxy, a gate may not reach the
 * server where the mesh enforces mTLS. What stands there runs before the grant, so a name is not enough: the pod must carry the marks of
 * the mesh's injector, and the container must run the mesh's program.
 *
 * A proxy among the ordinary containers starts only with main. Its mesh's init containers then stay behind ours: what they redirect would
 * lead a gate to nobody.
 *
 * After what the injectors write: istio/istio pkg/kube/inject, linkerd2 charts/partials, kuma pkg/plugins/runtime/k8s/webhooks/injector,
 * consul-k8s control-plane/connect-inject.
 *
 * Limit: somebody who writes all of that by hand, or puts another image into a mesh's container, passes. Images cannot be checked: every
 * organisation mirrors them under names of its own.
 */
import { isOwnContainer } from "../../lease/own-container.ts";
import { list, parseJson, record } from "../../shared/json.ts";
import type { Container, Metadata, PodTemplate } from "./objects.ts";

interface Mesh {
  name: string;
  /** Reads the mark of the injector on the pod: the result tells whether the injector put a container in. */
  claimed(metadata: Metadata): (container: string) => boolean;
  init: Readonly<Record<string, Program>>;
  sidecars: Readonly<Record<string, Program>>;
}

/** What a container runs: its command and arguments in one line, and an environment variable that must be there. */
interface Program {
  line: RegExp;
  variable?: string;
}

/** Consul's whole script: one command, without anything by which a shell would run another. */
const CONSUL_INIT = /^\/bin\/sh -ec consul-k8s-control-plane connect-init(?:[-\w =."/${}]|\\\n)*\\?\n?$/;

const MESHES: readonly Mesh[] = [
  {
    name: "Istio",
    claimed(metadata) {
      const status = record(parseJson(annotation(metadata, "sidecar.istio.io/status")));
      const names = new Set(list(status["initContainers"]));
      return (container) => names.has(container);
    },
    init: {
      "istio-init": { line: /^istio-iptables / },
      "istio-validation": { line: /^istio-iptables / },
    },
    sidecars: { "istio-proxy": { line: /^proxy sidecar / } },
  },
  {
    name: "Linkerd",
    claimed: (metadata) => () => annotation(metadata, "linkerd.io/proxy-version") !== "",
    init: {
      "linkerd-init": { line: /^(--.* )?--incoming-proxy-port / },
      "linkerd-network-validator": { line: /^\/usr\/lib\/linkerd\/linkerd2-network-validator / },
    },
    sidecars: { "linkerd-proxy": { line: /^$/, variable: "LINKERD2_PROXY_INBOUND_LISTEN_ADDR" } },
  },
  {
    name: "Kuma",
    claimed: (metadata) => () => annotation(metadata, "kuma.io/sidecar-injected") === "true",
    init: {
      "kuma-init": { line: /^\/usr\/bin\/kumactl install transparent-proxy / },
      "kuma-validation": { line: /^\/usr\/bin\/kumactl install transparent-proxy-validator / },
    },
    sidecars: { "kuma-sidecar": { line: /^run --/, variable: "KUMA_CONTROL_PLANE_URL" } },
  },
  {
    name: "Consul",
    claimed: (metadata) => () =>
      annotation(metadata, "consul.hashicorp.com/connect-inject-status") === "injected",
    init: { "consul-connect-inject-init": { line: CONSUL_INIT, variable: "CONSUL_ADDRESSES" } },
    sidecars: { "consul-dataplane": { line: /^-addresses /, variable: "DP_SERVICE_NODE_NAME" } },
  },
];

/** A container that may stand before the gate, and its mesh. */
export interface MeshContainer {
  name: string;
  mesh: string;
}

/** The leading init containers that are a mesh's. A user's container ends the search, since it must not run before the gate. */
export function leadingMesh({ metadata = {}, spec }: PodTemplate): MeshContainer[] {
  const leading: MeshContainer[] = [];
  const init = spec.initContainers ?? [];
  // A pod may have thousands of containers, and a mark of a megabyte: it is read once.
  const marked = MESHES.map((mesh) => ({ ...mesh, claims: mesh.claimed(metadata) }));
  const present = marked.filter((mesh) => init.some((container) => isProxyOf(mesh, container)));
  for (const container of init) {
    if (isOwnContainer(container)) continue;
    const mesh = present.find((candidate) => isOf(candidate, container));
    if (!mesh) break;
    leading.push({ name: container.name, mesh: mesh.name });
  }
  return leading;
}

/** A mesh, and what its injector's mark on one pod claims. */
interface MarkedMesh extends Mesh {
  claims: ReturnType<Mesh["claimed"]>;
}

function isProxyOf(mesh: MarkedMesh, container: Container): boolean {
  return container.restartPolicy === "Always" && isOf(mesh, container);
}

function isOf({ claims, init, sidecars }: MarkedMesh, container: Container): boolean {
  const { name, restartPolicy, command = [], args = [], env = [] } = container;
  const programs = restartPolicy === "Always" ? sidecars : init;
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (!program || !claims(name) || !program.line.test([...command, ...args].join(" "))) return false;
  return program.variable === undefined || env.some((entry) => entry["name"] === program.variable);
}

function annotation({ annotations = {} }: Metadata, name: string): string {
  return annotations[name] ?? "";
}
