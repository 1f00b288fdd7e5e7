/**
 * The containers of service meshes, which must stand before ours: without the mesh's redirection and its proxy, a gate may not
 * reach the server where the mesh enforces mTLS. Only names are known of them: these are what each mesh's injector writes.
 */
import type { Container } from "./objects.ts";

const MESH_INIT = new Set([
  "istio-init",
  "istio-validation",
  "linkerd-init",
  "linkerd-network-validator",
  "kuma-init",
  "kuma-validation",
  "consul-connect-inject-init",
  "proxyinit", // AWS App Mesh
]);

const MESH_SIDECARS = new Set([
  "istio-proxy",
  "linkerd-proxy",
  "kuma-sidecar",
  "consul-dataplane",
  "envoy", // AWS App Mesh
]);

/** How many of the leading init containers are a mesh's; a user's own must not run before the gate, so it ends the search. */
export function countLeadingMesh(initContainers: readonly Container[]): number {
  const firstOther = initContainers.findIndex((container) => !isMesh(container));
  return firstOther < 0 ? initContainers.length : firstOther;
}

function isMesh({ name, restartPolicy }: Container): boolean {
  return restartPolicy === "Always" ? MESH_SIDECARS.has(name) : MESH_INIT.has(name);
}
