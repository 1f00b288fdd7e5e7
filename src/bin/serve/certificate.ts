import type { KubeClient } from "../../kube/api.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { TLS_SECRET } from "../../shared/names.ts";
import { createCertificateFiles } from "../../tls/certificate-files.ts";
import type { CertificateSource, ServingCertificate } from "../../tls/certificate-source.ts";
import { createServingCertificates } from "../../tls/serving-certificate.ts";
import type { ServeConfig } from "./config.ts";
import { serviceNames } from "./gate-address.ts";

/** Where the serving certificate comes from: files, or our own authority. */
export function certificateSource(
  { certDir, namespace, lives, tlsAddresses }: ServeConfig,
  { client, clock, logger }: { client: KubeClient; clock: Clock; logger: Logger },
): CertificateSource {
  const [host = "", ...otherNames] = serviceNames(namespace);
  const names = { dnsNames: [host], ipAddresses: tlsAddresses };
  if (certDir !== undefined) return createCertificateFiles({ ...names, dir: certDir, clock, logger });
  return createServingCertificates({
    ...{ client, namespace, secretName: TLS_SECRET, lives, clock, logger },
    dnsNames: [host, ...otherNames],
    ipAddresses: tlsAddresses,
  });
}

/** The certificate as Node's TLS takes it. */
export function servedBy({ certPem, keyPem }: ServingCertificate) {
  return { cert: certPem, key: keyPem };
}
