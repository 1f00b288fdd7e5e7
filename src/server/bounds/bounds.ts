/** What a replica may keep for others at a time, by the memory that it may use. */
export interface Bounds {
  /** Open connections. */
  connections: number;
  /** Gates that wait: so many that keepers and the API server, who keep none where there are many, still find one. */
  streams: number;
  /** Of all AdmissionReviews that are coming in, or wait for their turn. */
  reviewBytes: number;
  /** Of all messages to the gate API that are coming in: what gate and keeper send has 200 bytes. */
  messageBytes: number;
}

/** What a TLS connection costs in Node 24, within and beside its heap: 80 KiB if it is idle, 71 KiB with a gate that waits (measured). */
const CONNECTION_BYTES = 80 * 1024;
/** The rest is for Node itself, the caches, and what is being parsed. */
const PART = { connections: 0.4, reviews: 1 / 8, messages: 1 / 32 } as const;
/** Beyond this it is not memory that is scarce: each change of a queue is told to all who wait in it. */
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
