/** With --admission-client-ca, a client without a certificate of that CA is told nothing, whatever it tries. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import type { AddressInfo } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { fastify } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { askForCertificate, checkClientCa } from "../../../src/server/admission/client-certificate.ts";
import { admissionPlugin } from "../../../src/server/admission/plugin.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import { PATH } from "../../../src/shared/names.ts";
import { newAuthority, type Pair } from "../../cluster/certificates.ts";
import { contextWith } from "./fixtures.ts";

const REFUSED = {
  reason: "Forbidden",
  message: expect.stringContaining("has to show a client certificate that --admission-client-ca signed"),
};

async function serve() {
  const [ours, clients, strangers] = await Promise.all(
    ["konductor", "clients", "strangers"].map(newAuthority),
  );
  if (!ours || !clients || !strangers) throw new Error("no authorities");
  const { certificatePem: cert, keyPem: key } = await ours.issue({
    commonName: "server",
    hosts: ["localhost"],
  });
  const app = fastify({
    https: { cert, key, ...askForCertificate(clients.certificatePem) },
    forceCloseConnections: true,
  });
  app.register(admissionPlugin(contextWith(), { ...boundsFor(512 * 1024 * 1024), needsCertificate: true }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const { certificatePem: ca } = ours;

  async function ask(options: RequestOptions & { session?: Buffer }) {
    const sent = request({
      ...{ host: "localhost", port, ca, path: PATH.mutate, method: "POST", agent: false },
      headers: { "content-type": "application/json" },
      ...options,
    });
    sent.end("{}");
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect((sent.socket as TLSSocket).isSessionReused()).toBe(options.session !== undefined);
    const chunks = await answer.toArray();
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    return { status: answer.statusCode, body };
  }
  /** The TLS session of a connection without a certificate, to be resumed by the next connection. */
  async function session(): Promise<Buffer> {
    const socket: TLSSocket = connect({ host: "localhost", port, ca, servername: "localhost" });
    const [ticket] = (await once(socket, "session")) as [Buffer];
    socket.destroy();
    return ticket;
  }
  const pairOf = ({ certificatePem, keyPem }: Pair) => ({ cert: certificatePem, key: keyPem });
  return {
    ask,
    session,
    known: pairOf(await clients.issue({ commonName: "kube-apiserver" })),
    unknown: pairOf(await strangers.issue({ commonName: "kube-apiserver" })),
  };
}

test("only clients with a certificate of the CA are answered", async () => {
  const { ask, known, unknown, session } = await serve();
  // The body is no AdmissionReview, but it was read.
  expect(await ask(known)).toMatchObject({ status: 400, body: { reason: "BadRequest" } });
  expect(await ask({})).toEqual({ status: 403, body: REFUSED });
  expect(await ask(unknown)).toEqual({ status: 403, body: REFUSED });
  expect(await ask({ session: await session() })).toEqual({ status: 403, body: REFUSED });
});

test.each(["", "-----BEGIN CERTIFICATE-----", "ca.crt"])("a file that contains %j is no CA", (text) => {
  expect(() => checkClientCa(text)).toThrow("--admission-client-ca: the file holds no PEM certificate");
});
