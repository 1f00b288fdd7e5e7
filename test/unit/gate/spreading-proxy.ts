import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address for several servers, as a Service has: each connection leads to one of them as a whole. */
export interface SpreadingProxy {
  url: string;
  /** The number of connections to each server. */
  readonly connections: readonly number[];
  close(): Promise<void>;
}

/** `next` returns the server for a connection, by its number from 0. Without a url the connection is accepted, but leads nowhere. */
export async function spreadingProxy(
  next: (connection: number) => { server: number; url: string | undefined },
): Promise<SpreadingProxy> {
  const connections: number[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const proxy = createServer((socket) => {
    const { server, url } = next(count++);
    connections[server] = (connections[server] ?? 0) + 1;
    const both = url === undefined ? [socket] : [socket, connect(Number(new URL(url).port), "127.0.0.1")];
    for (const each of both) {
      sockets.add(each);
      each.on("error", () => undefined); // the close tells the other side
      each.on("close", () => {
        sockets.delete(each);
        for (const end of both) end.destroy();
      });
    }
    const [, upstream] = both;
    if (upstream) socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address: AddressInfo | string | null = proxy.address();
  if (typeof address !== "object" || !address) throw new Error("the proxy has no port");
  return {
    url: `https://127.0.0.1:${address.port}`,
    connections,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => proxy.close(() => resolve()));
    },
  };
}
