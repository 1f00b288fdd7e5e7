/** Whether it is the API server that calls: an option, since an API server shows webhooks no certificate unless it is told to. */
import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { onRequestHookHandler } from "fastify";
import { describeError, KonductorError } from "../../shared/errors.ts";

/** `pem` as it was read from a file. Throws BadRequest where it holds no certificate: Node would trust everybody's authorities instead. */
export function checkClientCa(pem: string): string {
  try {
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    throw new KonductorError(
      "BadRequest",
      `--admission-client-ca: the file holds no PEM certificate: ${describeError(cause)}`,
      { cause },
    );
  }
}

/** What a TLS server has to be told. Gates and keepers, who prove by a token who they are, go on without a certificate. `ca`: PEM. */
export function askForCertificate(ca: string) {
  return { ca, requestCert: true, rejectUnauthorized: false } as const;
}

/** Refuses who has not shown a certificate that the server's `ca` signed. */
export const requireCertificate: onRequestHookHandler = (request, _reply, done) => {
  if ((request.raw.socket as TLSSocket).authorized) return done();
  const message =
    "admission is for the API server alone; it has to show a client certificate that --admission-client-ca signed";
  done(new KonductorError("Forbidden", message));
};
