/**
 * Cuts pods, and the kubelet, off with nftables inside the node's namespace. Every pod hangs on a point-to-point link (CNI plugin ptp), so that all
 * of its traffic, to other pods too, is routed and passes these hooks.
 */
import { run } from "../command.ts";
import type { Partition } from "../kubelet-node-api.ts";
import { KUBELET_API_SERVER_ADDRESS } from "./addresses.ts";
import type { NodeNetwork } from "./namespace.ts";

const TABLE = "konductor_partition";

/** Before the filters (priority 0) and after kube-proxy has put the real destination in place of a ClusterIP. */
const CHAINS = ["forward", "input", "output"]
  .map((hook) => `add chain ip ${TABLE} ${hook} { type filter hook ${hook} priority -10; }`)
  .join("\n");

export async function cut(network: NodeNetwork, { podIp, peerIp }: Partition): Promise<void> {
  await drop(network, matches(podIp ?? network.addresses.podSubnet, peerIp));
}

/** Cuts the kubelet off from the API server. Both run on the node, so what tells them apart is the address that the kubelet calls. */
export async function cutKubelet(network: NodeNetwork): Promise<void> {
  await drop(network, [`ct original ip daddr ${KUBELET_API_SERVER_ADDRESS}`]);
}

async function drop(network: NodeNetwork, packets: readonly string[]): Promise<void> {
  const rules = ["forward", "input", "output"].flatMap((chain) =>
    packets.map((match) => `add rule ip ${TABLE} ${chain} ${match} drop`),
  );
  await nft(network, [`add table ip ${TABLE}`, CHAINS, ...rules].join("\n"));
}

export async function healAll(network: NodeNetwork): Promise<void> {
  await nft(network, `add table ip ${TABLE}\ndelete table ip ${TABLE}`);
}

/** In both directions; "ct original" also finds a ClusterIP that has been translated. */
function matches(pod: string, peer: string | undefined): string[] {
  if (!peer) return [`ip saddr ${pod}`, `ip daddr ${pod}`];
  return [
    `ip saddr ${pod} ip daddr ${peer}`,
    `ip saddr ${peer} ip daddr ${pod}`,
    `ct original ip saddr ${pod} ct original ip daddr ${peer}`,
  ];
}

async function nft({ enter }: NodeNetwork, script: string): Promise<void> {
  const [program = "", ...args] = enter;
  await run(program, [...args, "nft", script]);
}
