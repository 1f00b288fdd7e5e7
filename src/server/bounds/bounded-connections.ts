import type { Server } from "node:net";
import { createFairShare } from "../../shared/fair-share.ts";

/** From this share on no connection is kept for a next request: a keeper needs one for a moment, a gate for as long as it waits. */
const CROWDED_FROM = 0.6;

export interface Connections {
  /** Whether there are so many that none should be kept without need. */
  isCrowded(): boolean;
}

/** Hangs up on a peer that exceeds its fair share of `limit` connections, before the TLS handshake. */
export function boundConnections(server: Server, limit: number): Connections {
  const share = createFairShare(limit);
  server.on("connection", (socket) => {
    const peer = socket.remoteAddress ?? "";
    if (share.take(peer, 1)) socket.once("close", () => share.give(peer, 1));
    else socket.destroy();
  });
  return { isCrowded: () => share.used() > limit * CROWDED_FROM };
}
