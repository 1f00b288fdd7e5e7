/**
 * Addresses of the test clusters: all from 198.18.0.0/15, which RFC 2544 reserves for tests of a private network. Only the namespaces that we create
 * have them, and the host's end of each veth pair.
 */
export interface ClusterAddresses {
  /** The host's end of the veth pair. */
  readonly host: string;
  /** The node's end: the InternalIP, and the address on which the API server listens. */
  readonly node: string;
  readonly podSubnet: string;
}

/**
 * The address by which only the kubelet reaches the API server, so that the kubelet can be cut off. Inside of the node's namespace it is the node
 * itself.
 */
export const KUBELET_API_SERVER_ADDRESS = "198.18.0.1";

export const SERVICE_SUBNET = "198.19.0.0/16";

/** Addresses of the cluster in a slot (0 to 63): a /30 for the veth pair and a /24 for pods. The host reaches both. */
export function clusterAddresses(slot: number): ClusterAddresses {
  return {
    host: `198.18.64.${slot * 4 + 1}`,
    node: `198.18.64.${slot * 4 + 2}`,
    podSubnet: `198.18.${128 + slot}.0/24`,
  };
}
