import { run } from "../command.ts";
import { networkNamespace } from "../state/clean-up.ts";
import type { ClusterRecord } from "../state/record.ts";
import { type ClusterAddresses, clusterAddresses, KUBELET_API_SERVER_ADDRESS } from "./addresses.ts";

export interface NodeNetwork {
  readonly addresses: ClusterAddresses;
  /** Prefix of a command line that makes the command run in the namespace. */
  readonly enter: readonly string[];
}

/** Creates the node's network namespace and connects it to the host. Deleting the namespace undoes all of it. */
export async function createNetwork(record: ClusterRecord): Promise<NodeNetwork> {
  const namespace = networkNamespace(record.id);
  const addresses = clusterAddresses(record.slot);
  // Not `ip netns exec`: that mounts a fresh /sys and hides the cgroup mounts from the kubelet.
  const enter = ["nsenter", `--net=/run/netns/${namespace}`];
  const [hostEnd, nodeEnd] = [`kon${record.id}`, "eth0"];
  const ip = (...args: string[]) => run("ip", args);
  const inside = (...args: string[]) => run("nsenter", [...enter.slice(1), ...args]);
  await ip("netns", "add", namespace);
  await ip("link", "add", hostEnd, "type", "veth", "peer", "name", nodeEnd, "netns", namespace);
  await ip("address", "add", `${addresses.host}/30`, "dev", hostEnd);
  await ip("link", "set", hostEnd, "up");
  await inside("ip", "link", "set", "lo", "up");
  await inside("ip", "address", "add", `${addresses.node}/30`, "dev", nodeEnd);
  await inside("ip", "link", "set", nodeEnd, "up");
  // The kubelet and kube-proxy require a default route. The host forwards nothing for the node, so the traffic ends there.
  await inside("ip", "route", "add", "default", "via", addresses.host);
  await inside("sysctl", "-qw", "net.ipv4.ip_forward=1");
  await inside(
    "nft",
    `add table ip konductor_kubelet
    add chain ip konductor_kubelet output { type nat hook output priority -110; }
    add rule ip konductor_kubelet output ip daddr ${KUBELET_API_SERVER_ADDRESS} dnat to ${addresses.node}`,
  );
  await ip("route", "replace", addresses.podSubnet, "via", addresses.node);
  return { addresses, enter };
}
