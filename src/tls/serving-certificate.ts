import { createPrivateKey, X509Certificate } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/api.ts";
import { SECRETS } from "../kube/resources.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode, KonductorError } from "../shared/errors.ts";
import { defined, record, textMap, timeMs } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import { certificatesIn } from "../shared/pem.ts";
import { isoTime } from "../shared/times.ts";
import { type Authorities, advance, BUNDLE_BYTES_MAX, bundleOf, idOf, reconcile } from "./authorities.ts";
import {
  createAuthority,
  isFit,
  issueServingCertificate,
  type KeyPair,
  type Lives,
  type ServingNames,
  spanOf,
} from "./authority.ts";
import type { CertificateSource, ServingCertificate } from "./certificate-source.ts";

export interface ServingCertificateOptions extends ServingNames {
  client: KubeClient;
  namespace: string;
  secretName: string;
  lives: Lives;
  clock: Clock;
  logger: Logger;
}

/** The Secret as it was read: a write keeps fields that we do not know. */
interface Stored {
  object: Record<string, unknown>;
  authorities?: Authorities;
  serving?: KeyPair;
}

/** Replicas that start together meet here; each conflict means that another one was faster. */
const TRIES = 10;

/**
 * Resolves with the certificate in the Secret, made or renewed there if need be. Replicas agree: whoever writes first wins, by
 * create-conflict or resourceVersion, and the others serve what it wrote. A Secret that is gone, damaged or another's is restored from what
 * this replica has served before. A replica that has served nothing yet does not replace a damaged one, since pods trust its CA.
 */
export function createServingCertificates(options: ServingCertificateOptions): CertificateSource {
  let known: Authorities | undefined;
  return async () => {
    for (let tries = 1; ; tries++) {
      try {
        const { authorities, serving } = await readOrWrite(options, known);
        known = authorities;
        return served(authorities, serving);
      } catch (error) {
        if (tries === TRIES || !hasCode(error, "Conflict", "AlreadyExists")) throw error;
      }
    }
  };
}

async function readOrWrite(
  options: ServingCertificateOptions,
  known: Authorities | undefined,
): Promise<{ authorities: Authorities; serving: KeyPair }> {
  const { client, namespace, secretName, lives, clock, logger } = options;
  const nowMs = clock.nowMs();
  const stored = await readSecret(options, known !== undefined);
  const found = reconcile(stored?.authorities, known, nowMs) ?? {
    current: await createAuthority(nowMs, lives.caMs),
    former: [],
  };
  const authorities = await advance(found, nowMs, lives.caMs);
  const isServable = stored?.serving && isFit(stored.serving, authorities.current, options, nowMs);
  const serving =
    isServable && stored.serving
      ? stored.serving
      : await issueServingCertificate(authorities.current, options, nowMs, lives.servingMs);
  const before = record(stored?.object["data"]);
  const data = dataOf(before, authorities, serving);
  if (stored && isDeepStrictEqual(data, before)) return { authorities, serving };
  const object = stored?.object ?? { metadata: { namespace, name: secretName }, type: "Opaque" };
  await (stored ? client.replace(SECRETS, { ...object, data }) : client.create(SECRETS, { ...object, data }));
  logger.info(
    { secret: `${namespace}/${secretName}`, ...changeOf(stored?.authorities, authorities) },
    "wrote certificates",
  );
  return { authorities, serving };
}

/** Which authorities a write has changed, for the log. */
function changeOf(before: Authorities | undefined, after: Authorities) {
  return {
    newAuthority: before?.current.certPem !== after.current.certPem,
    nextAuthority: after.next !== undefined && before?.next?.certPem !== after.next.certPem,
  };
}

const NEXT = { cert: "next-ca.crt", key: "next-ca.key", published: "next-ca.published" } as const;

function dataOf(
  before: Record<string, unknown>,
  authorities: Authorities,
  serving: KeyPair,
): Record<string, unknown> {
  const { [NEXT.cert]: _, [NEXT.key]: __, [NEXT.published]: ___, ...others } = before;
  const { current, next } = authorities;
  return {
    ...others,
    "ca.crt": base64(bundleOf(authorities)),
    "ca.key": base64(current.keyPem),
    ...(next && {
      [NEXT.cert]: base64(next.certPem),
      [NEXT.key]: base64(next.keyPem),
      [NEXT.published]: base64(isoTime(next.publishedMs)),
    }),
    "tls.crt": base64(serving.certPem),
    "tls.key": base64(serving.keyPem),
  };
}

/** `canRestore`: a damaged Secret counts as one without certificates. */
async function readSecret(
  options: ServingCertificateOptions,
  canRestore: boolean,
): Promise<Stored | undefined> {
  const { client, namespace, secretName: name, logger } = options;
  let object: Record<string, unknown>;
  try {
    object = record(await client.get(SECRETS, { namespace, name }));
  } catch (error) {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
  }
  try {
    return parseSecret(options, object);
  } catch (error) {
    if (!canRestore || !hasCode(error, "Invalid")) throw error;
    logger.warn({ error: describeError(error) }, "the certificates that were served are put back");
    return { object };
  }
}

/** An empty Secret, as kustomize applies it, is to be filled; half a pair, or anything but a certificate, is damage. */
function parseSecret(
  { namespace, secretName }: ServingCertificateOptions,
  object: Record<string, unknown>,
): Stored {
  const data = textMap(object["data"]);
  try {
    return defined({
      object,
      authorities: readAuthorities(data),
      serving: readPair(data, "tls.crt", "tls.key"),
    });
  } catch (cause) {
    const message =
      `Secret ${namespace}/${secretName} holds no readable certificates; restore it, or delete it to have new ones made ` +
      "(pods that wait or run then lose their trust in konductor until they are restarted)";
    throw new KonductorError("Invalid", message, { cause });
  }
}

/**
 * `ca.crt` has all that are trusted, and begins with the one whose key is there. Throws unless every certificate can be read: whoever uses
 * the authorities parses them again, where an error is not taken for damage any more.
 */
function readAuthorities(data: Record<string, string>): Authorities | undefined {
  const pair = readPair(data, "ca.crt", "ca.key");
  if (!pair) return undefined;
  if (Buffer.byteLength(pair.certPem) > BUNDLE_BYTES_MAX)
    throw new Error(`ca.crt is longer than ${BUNDLE_BYTES_MAX} bytes`);
  const [first = "", ...others] = certificatesIn(pair.certPem);
  const current = { ...pair, certPem: `${first}\n` };
  const next = readPair(data, NEXT.cert, NEXT.key);
  for (const { certPem } of [current, ...(next ? [next] : [])]) {
    const certificate = new X509Certificate(certPem);
    const isOurKind = certificate.ca && certificate.publicKey.asymmetricKeyType === "rsa";
    if (!isOurKind || !certificate.verify(certificate.publicKey))
      throw new Error("ca.crt or next-ca.crt is no self-signed CA with an RSA key");
  }
  const publishedMs = timeMs(decoded(data[NEXT.published])) ?? (next ? spanOf(next.certPem).madeMs : 0);
  const nextIds = certificatesIn(next?.certPem ?? "").map(idOf);
  return {
    current,
    ...(next && { next: { ...next, publishedMs } }),
    former: others.filter((pem) => !nextIds.includes(idOf(pem))),
  };
}

/** Throws where the two do not belong together. */
function readPair(data: Record<string, string>, certKey: string, keyKey: string): KeyPair | undefined {
  const [certPem, keyPem] = [certKey, keyKey].map((key) => decoded(data[key]));
  if (!certPem && !keyPem) return undefined;
  if (!certPem || !keyPem) throw new Error(`only one of ${certKey} and ${keyKey} is present`);
  if (!new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error(`${keyKey} is not the key of ${certKey}`);
  }
  return { certPem, keyPem };
}

function served(authorities: Authorities, serving: KeyPair): ServingCertificate {
  const notAfterMs = Date.parse(new X509Certificate(serving.certPem).validTo);
  return { ...serving, caBundlePem: bundleOf(authorities), notAfterMs };
}

function decoded(content = ""): string {
  return Buffer.from(content, "base64").toString();
}

function base64(content: string): string {
  return Buffer.from(content).toString("base64");
}
