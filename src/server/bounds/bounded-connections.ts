import type { Server } from "node:net";
import { createFairShare } from "./fair-share.ts";

/** The part of all connections from which on none is kept for a next request: a keeper needs its own for a moment only, and a gate for as long as it waits. */
const CROWDED_FROM = 0.6;

export interface Connections {
  /** Whether there are so many that nobody should keep one without need. */
  isCrowded(): boolean;
}

/** Hangs up on whoever would have more than a fair share of `limit` connections, before a handshake is made. */
export function boundConnections(server: Server, limit: number): Connections {
  const share = createFairShare(limit);
  server.on("connection", (socket) => {
    const peer = socket.remoteAddress ?? "";
    if (share.take(peer, 1)) socket.once("close", () => share.give(peer, 1));
    else socket.destroy();
  });
  return { isCrowded: () => share.used() > limit * CROWDED_FROM };
}
