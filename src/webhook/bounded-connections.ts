import type { Server } from "node:net";
import { createFairShare } from "./fair-share.ts";

/** Hangs up on whoever would have more than a fair share of `limit` connections, before a handshake is made. */
export function boundConnections(server: Server, limit: number): void {
  const share = createFairShare(limit);
  server.on("connection", (socket) => {
    const peer = socket.remoteAddress ?? "";
    if (share.take(peer, 1)) socket.once("close", () => share.give(peer, 1));
    else socket.destroy();
  });
}
