/**
 * Serves a certificate that somebody else has issued: cert-manager, or an admin. The files are read again at every call. Files that cannot be
 * served change nothing: what was served last goes on being served.
 *
 * A certificate under a CA that running gates and keepers do not trust waits: they learn the new CA with the answers of a replica that they
 * trust. So for {@link TOLD_FOR_MS}, or half of what the old certificate has left, the old one is served, and both CAs are told. Limits: a
 * replica that starts knows no old certificate, and serves what the files hold; and only while each klease's ttl is shorter than thrice that
 * time does every keeper ask in between.
 */
import type { X509Certificate } from "node:crypto";
import type { Clock } from "../shared/clock.ts";
import { describeError, KonductorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { isoTime } from "../shared/times.ts";
import { BUNDLE_BYTES_MAX } from "./authorities.ts";
import type { ServingNames } from "./authority.ts";
import type { CertificateSource } from "./certificate-source.ts";
import {
  type CertificateTriple,
  leadsTo,
  type ReadText,
  readText,
  readTriple,
} from "./certificate-triple.ts";

export interface CertificateFilesOptions extends ServingNames {
  /** Has `tls.crt`, `tls.key` and `ca.crt`. */
  dir: string;
  clock: Clock;
  logger: Logger;
  read?: ReadText;
}

/** A CA that everybody is told to trust. */
interface ToldAuthority {
  certificate: X509Certificate;
  /** When everybody is supposed to know it. */
  knownMs: number;
  /** When the last certificate ends that came with it: until then a replica may serve that. */
  untilMs: number;
}

const TOLD_FOR_MS = 86_400_000;
/** Of a certificate's life, what is left when somebody should have renewed it. */
const LATE = 1 / 6;

/**
 * Rejects while nothing has been served, with a sentence that says what is wrong with which file. Whoever calls tries again: the Secret may be
 * filled or mended later, and a pod that ended over it would be started again ever more slowly.
 */
export function createCertificateFiles(options: CertificateFilesOptions): CertificateSource {
  const { dir, clock, logger, read = readText } = options;
  let told: ReadonlyMap<string, ToldAuthority> = new Map();
  let served: CertificateTriple | undefined;
  let caBundlePem = "";
  let warned: string | undefined;
  /** The same trouble is told once, not at every upkeep. */
  function warn(text: string | undefined): void {
    if (text !== undefined && text !== warned) logger.warn(text);
    warned = text;
  }

  function tell({ authorities, notAfterMs }: CertificateTriple, nowMs: number): void {
    const forMs = served ? Math.max(0, Math.min(TOLD_FOR_MS, (served.notAfterMs - nowMs) / 2)) : 0;
    const next = new Map([...told].filter(([, { untilMs }]) => nowMs <= untilMs));
    for (const certificate of authorities) {
      const before = next.get(certificate.fingerprint256);
      next.set(certificate.fingerprint256, {
        certificate,
        knownMs: before?.knownMs ?? nowMs + forMs,
        untilMs: Math.max(before?.untilMs ?? 0, notAfterMs),
      });
    }
    const all = [...authorities, ...[...next.values()].map(({ certificate }) => certificate)];
    const bundle = [...new Set(all.map(String))].join("");
    if (Buffer.byteLength(bundle) > BUNDLE_BYTES_MAX)
      throw new KonductorError(
        "Invalid",
        `${dir}/ca.crt and the CAs before it, which are still in use, are longer than ${BUNDLE_BYTES_MAX} bytes together; change CAs more slowly`,
      );
    told = next;
    caBundlePem = bundle;
  }

  /** From when on everybody accepts the certificate. */
  function acceptedMs({ chain }: CertificateTriple, nowMs: number): number {
    const all = [...told.values()].sort((one, other) => one.knownMs - other.knownMs);
    const moments = all.map(({ knownMs }) => knownMs);
    const knownAt = (ms: number) =>
      all.filter(({ knownMs }) => knownMs <= ms).map(({ certificate }) => certificate);
    return moments.find((ms) => leadsTo(chain, knownAt(ms), nowMs)) ?? nowMs;
  }

  function take(found: CertificateTriple, nowMs: number): CertificateTriple {
    tell(found, nowMs);
    const fromMs = acceptedMs(found, nowMs);
    if (served && nowMs < fromMs) {
      warn(
        `${dir}/ca.crt has another CA, which running gates and keepers do not trust yet: until ${isoTime(fromMs)} the certificate before is served, ` +
          "and both CAs are told. Where konductor does not write caBundle, put both CAs there",
      );
      return served;
    }
    const { certPem, notBeforeMs, notAfterMs } = found;
    const isLate = nowMs > notAfterMs - (notAfterMs - notBeforeMs) * LATE;
    warn(isLate ? `${dir}/tls.crt expires at ${isoTime(notAfterMs)}; have it renewed` : undefined);
    if (served && served.certPem !== certPem)
      logger.info({ dir, notAfter: isoTime(notAfterMs) }, "serving another certificate");
    return found;
  }

  return async () => {
    const nowMs = clock.nowMs();
    try {
      served = take(await readTriple(dir, options, { nowMs, read }), nowMs);
    } catch (error) {
      if (!served) throw error;
      warn(`${describeError(error)}. The certificate that was served last goes on being served`);
    }
    const { certPem, keyPem, notAfterMs } = served;
    return { certPem, keyPem, caBundlePem, notAfterMs };
  };
}
