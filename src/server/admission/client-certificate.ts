/** Checks that the caller is the API server. It is optional: an API server shows webhooks no certificate unless configured to. */
import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { onRequestHookHandler } from "fastify";
import { describeError, KonductorError } from "../../shared/errors.ts";

/** Returns `pem`, as read from a file. Throws BadRequest if it holds no certificate: Node would trust its built-in authorities instead. */
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

/** TLS options that ask for a client certificate and do not require it: gates and keepers prove by a token who they are. `ca`: PEM. */
export function askForCertificate(ca: string) {
  return { ca, requestCert: true, rejectUnauthorized: false } as const;
}

/** Refuses a caller without a certificate that the server's `ca` signed. */
export const requireCertificate: onRequestHookHandler = (request, _reply, done) => {
  if ((request.raw.socket as TLSSocket).authorized) return done();
  const message =
    "admission is for the API server alone; it has to show a client certificate that --admission-client-ca signed";
  done(new KonductorError("Forbidden", message));
};
