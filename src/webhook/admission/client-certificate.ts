/** Whether it is the API server that calls: an option, since an API server shows webhooks no certificate unless it is told to. */
import type { TLSSocket } from "node:tls";
import type { onRequestHookHandler } from "fastify";
import { KonductorError } from "../../shared/errors.ts";

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
