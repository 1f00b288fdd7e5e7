import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address for several servers, as a Service is: each connection goes as a whole to one of them. */
export interface SpreadingProxy {
  url: string;
  /** How many connections went to each server. */
  readonly connections: readonly number[];
  close(): Promise<void>;
}

/** `next` names the server for the connection of that number, from 0. Undefined: it is accepted, and led nowhere. */
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
      each.on("error", () => undefined); // the other side learns of it by the close
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
