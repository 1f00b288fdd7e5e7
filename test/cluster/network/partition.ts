/**
 * Cuts pods and the kubelet off with nftables inside the node's namespace. Every pod has a point-to-point link (CNI plugin ptp), so all of its
 * traffic, also to other pods, is routed and passes these hooks.
 */
import { run } from "../command.ts";
import type { Cut, Heal } from "../kubelet-node-api.ts";
import { KUBELET_API_SERVER_ADDRESS } from "./addresses.ts";
import type { NodeNetwork } from "./namespace.ts";

const HOOKS = ["forward", "input", "output"];

/** The cuts of one node. Each has a table of its own, so that one can be healed while others stay. */
export interface Partitions {
  /** Kubelet and API server both run on the node, so only the address that the kubelet calls distinguishes its traffic. */
  cut(...cuts: readonly Cut[]): Promise<Heal>;
}

export function createPartitions(network: NodeNetwork): Partitions {
  let cuts = 0;

  async function drop(packets: readonly string[]): Promise<Heal> {
    const table = `konductor_partition_${++cuts}`;
    // Before the filters (priority 0), and after kube-proxy has replaced a ClusterIP with the real destination.
    const chains = HOOKS.map(
      (hook) => `add chain ip ${table} ${hook} { type filter hook ${hook} priority -10; }`,
    );
    const rules = HOOKS.flatMap((hook) =>
      packets.map((match) => `add rule ip ${table} ${hook} ${match} drop`),
    );
    await nft(network, [`add table ip ${table}`, ...chains, ...rules]);
    let isHealed = false;
    return async () => {
      if (!isHealed) await nft(network, [`delete table ip ${table}`]);
      isHealed = true;
    };
  }

  return {
    cut: (...cuts) => drop(cuts.flatMap((cut) => matches(cut, network.addresses.podSubnet))),
  };
}

/** In both directions; "ct original" also matches a ClusterIP that has been translated. */
function matches(cut: Cut, everyPod: string): string[] {
  if (cut === "kubelet") return [`ct original ip daddr ${KUBELET_API_SERVER_ADDRESS}`];
  if ("podPort" in cut)
    return [
      `ip saddr ${cut.podIp} tcp sport ${cut.podPort}`,
      `ip daddr ${cut.podIp} tcp dport ${cut.podPort}`,
    ];
  const { podIp: pod = everyPod, peerIp: peer } = cut;
  if (!peer) return [`ip saddr ${pod}`, `ip daddr ${pod}`];
  return [
    `ip saddr ${pod} ip daddr ${peer}`,
    `ip saddr ${peer} ip daddr ${pod}`,
    `ct original ip saddr ${pod} ct original ip daddr ${peer}`,
  ];
}

async function nft({ enter }: NodeNetwork, commands: readonly string[]): Promise<void> {
  const [program = "", ...args] = enter;
  await run(program, [...args, "nft", commands.join("\n")]);
}
