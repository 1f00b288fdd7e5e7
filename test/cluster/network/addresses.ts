/**
 * Addresses of the test clusters: all from 198.18.0.0/15, which RFC 2544 sets aside for tests between networks of one's own.
 * Nothing but namespaces that we made has them, and the one end of a pair that leads there.
 */
export interface ClusterAddresses {
  /** The host's end of the pair. */
  readonly host: string;
  /** The node's end: the InternalIP, and where the API server listens. */
  readonly node: string;
  readonly podSubnet: string;
}

/** By which a kubelet alone reaches the API server, so that it can be cut off from it. Means the node itself, inside of its namespace. */
export const KUBELET_API_SERVER_ADDRESS = "198.18.0.1";

export const SERVICE_SUBNET = "198.19.0.0/16";

/** Addresses of the cluster in a slot (0 to 63): a /30 for the pair and a /24 for pods, so that the host reaches both. */
export function clusterAddresses(slot: number): ClusterAddresses {
  return {
    host: `198.18.64.${slot * 4 + 1}`,
    node: `198.18.64.${slot * 4 + 2}`,
    podSubnet: `198.18.${128 + slot}.0/24`,
  };
}
