import { connect, createServer, type Socket } from "node:net";

/** Replaces the Service where there is no kube-proxy: one loopback address in front of several ports. */
export interface Balancer {
  readonly port: number;
  /** Sends no more connections to this port, like a Service once the pod is being deleted; open connections stay. */
  leaveOut(port: number): void;
  /** Sends connections to this port again. */
  takeIn(port: number): void;
  close(): Promise<void>;
}

/** Passes each connection to the next of `ports` that accepts it. If none does, closes the connection, as a Service without endpoints does. */
export async function startBalancer(all: readonly number[]): Promise<Balancer> {
  const leftOut = new Set<number>();
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    open.add(client);
    client.once("close", () => open.delete(client));
    client.on("error", () => client.destroy());
    turn++;
    join(client, 0);
  });

  function join(client: Socket, tried: number): void {
    const ports = all.filter((port) => !leftOut.has(port));
    const port = ports[(turn + tried) % ports.length];
    if (tried >= ports.length || port === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect({ port, host: "127.0.0.1" });
    const next = () => join(client, tried + 1);
    upstream.once("error", next);
    upstream.once("connect", () => {
      upstream.off("error", next);
      upstream.on("error", () => client.destroy());
      upstream.once("close", () => client.destroy());
      client.once("close", () => upstream.destroy());
      client.pipe(upstream).pipe(client);
    });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the balancer has no port");
  return {
    port: address.port,
    leaveOut: (port) => void leftOut.add(port),
    takeIn: (port) => void leftOut.delete(port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
