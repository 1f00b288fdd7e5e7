import { connect, createServer } from "node:tls";
import type { KeyPair } from "../../../src/tls/authority.ts";

/** Resolves when a client that trusts `ca` has accepted the certificate for `name`. */
export async function connectTo(pair: KeyPair, ca: string, name: string): Promise<void> {
  const server = createServer({ cert: pair.certPem, key: pair.keyPem }, (socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const servername = name === "127.0.0.1" ? {} : { servername: name };
      const socket = connect({ host: "127.0.0.1", port, ca, ...servername });
      socket.once("secureConnect", () => (socket.authorized ? resolve() : reject(socket.authorizationError)));
      socket.once("error", reject);
      socket.resume();
    });
  } finally {
    server.close();
  }
}
