import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KubeClient } from "../kube/api.ts";
import { SECRETS } from "../kube/resources.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { defined, record, textMap } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import {
  createAuthority,
  isFit,
  issueServingCertificate,
  type KeyPair,
  type ServingNames,
} from "./authority.ts";

/** What the server serves, and what others have to trust. */
export interface ServingCertificate extends KeyPair {
  caBundlePem: string;
  notAfterMs: number;
}

export interface ServingCertificateOptions extends ServingNames {
  client: KubeClient;
  namespace: string;
  secretName: string;
  clock: Clock;
  logger: Logger;
}

/** The Secret as it was read: a write keeps fields that we do not know. */
interface Stored {
  object: Record<string, unknown>;
  authority?: KeyPair;
  serving?: KeyPair;
}

/** Replicas that start together meet here; each conflict means that another one was faster. */
const TRIES = 10;

/**
 * The certificate in the Secret, made or renewed there if need be. Replicas agree: whoever writes first wins, by create-conflict or
 * resourceVersion, and the others serve what it wrote. A Secret that cannot be read is not replaced, since pods trust its CA.
 */
export async function ensureServingCertificate(
  options: ServingCertificateOptions,
): Promise<ServingCertificate> {
  for (let tries = 1; ; tries++) {
    try {
      return await readOrWrite(options);
    } catch (error) {
      if (tries === TRIES || !hasCode(error, "Conflict", "AlreadyExists")) throw error;
    }
  }
}

async function readOrWrite(options: ServingCertificateOptions): Promise<ServingCertificate> {
  const { client, namespace, secretName, clock, logger } = options;
  const stored = await readSecret(options);
  const nowMs = clock.nowMs();
  if (stored?.authority && stored.serving && isFit(stored.serving, stored.authority, options, nowMs)) {
    return served(stored.authority, stored.serving);
  }
  const authority = stored?.authority ?? (await createAuthority(nowMs));
  const serving = await issueServingCertificate(authority, options, nowMs);
  const secret = {
    ...(stored?.object ?? { metadata: { namespace, name: secretName }, type: "Opaque" }),
    data: {
      ...record(stored?.object["data"]),
      "ca.crt": base64(authority.certPem),
      "ca.key": base64(authority.keyPem),
      "tls.crt": base64(serving.certPem),
      "tls.key": base64(serving.keyPem),
    },
  };
  await (stored ? client.replace(SECRETS, secret) : client.create(SECRETS, secret));
  logger.info(
    { secret: `${namespace}/${secretName}`, newAuthority: !stored?.authority },
    "issued a serving certificate",
  );
  return served(authority, serving);
}

async function readSecret(options: ServingCertificateOptions): Promise<Stored | undefined> {
  const { client, namespace, secretName: name } = options;
  try {
    return parseSecret(options, record(await client.get(SECRETS, { namespace, name })));
  } catch (error) {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
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
      authority: readPair(data, "ca.crt", "ca.key"),
      serving: readPair(data, "tls.crt", "tls.key"),
    });
  } catch (cause) {
    const message =
      `Secret ${namespace}/${secretName} holds no readable certificates; restore it, or delete it to have new ones made ` +
      "(pods that wait or run then lose their trust in konductor until they are restarted)";
    throw new KonductorError("Invalid", message, { cause });
  }
}

/** Throws where the two do not belong together. */
function readPair(data: Record<string, string>, certKey: string, keyKey: string): KeyPair | undefined {
  const [certPem, keyPem] = [certKey, keyKey].map((key) => Buffer.from(data[key] ?? "", "base64").toString());
  if (!certPem && !keyPem) return undefined;
  if (!certPem || !keyPem) throw new Error(`there is only one of ${certKey} and ${keyKey}`);
  if (!new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error(`${keyKey} is not the key of ${certKey}`);
  }
  return { certPem, keyPem };
}

function served(authority: KeyPair, serving: KeyPair): ServingCertificate {
  const notAfterMs = Date.parse(new X509Certificate(serving.certPem).validTo);
  return { ...serving, caBundlePem: authority.certPem, notAfterMs };
}

function base64(content: string): string {
  return Buffer.from(content).toString("base64");
}
