/** How much a replica may hold for its callers at a time, by its memory. */
export interface Bounds {
  /** Open connections. */
  connections: number;
  /** Waiting gates: few enough for keepers and the API server, which keep no connection when many are open, to find one. */
  streams: number;
  /** Of all AdmissionReviews that are coming in, or wait for their turn. */
  reviewBytes: number;
  /** Of all messages to the gate API that are coming in; one of gate or keeper has 200 bytes. */
  messageBytes: number;
}

/** Memory of a TLS connection in Node 24, heap and other: 80 KiB if it is idle, 71 KiB with a gate that waits (measured). */
const CONNECTION_BYTES = 80 * 1024;
/** The rest is for Node itself, the caches, and what is being parsed. */
const PART = { connections: 0.4, reviews: 1 / 8, messages: 1 / 32 } as const;
/** Beyond this, memory is not what is scarce: each change of a queue is sent to all who wait in it. */
const MOST = { connections: 30_000, streams: 10_000 } as const;
const STREAMS_PER_CONNECTION = 0.75;

/** `memoryBytes`: what the process may use, by its cgroup's limit or by what the machine has. */
export function boundsFor(memoryBytes: number): Bounds {
  const connections = Math.floor((memoryBytes * PART.connections) / CONNECTION_BYTES);
  return {
    connections: Math.min(connections, MOST.connections),
    streams: Math.min(Math.floor(connections * STREAMS_PER_CONNECTION), MOST.streams),
    reviewBytes: Math.floor(memoryBytes * PART.reviews),
    messageBytes: Math.floor(memoryBytes * PART.messages),
  };
}
