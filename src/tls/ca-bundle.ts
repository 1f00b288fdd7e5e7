import type { KubeClient } from "../kube/api.ts";
import { MUTATING_WEBHOOK_CONFIGURATIONS } from "../kube/resources.ts";
import { hasCode } from "../shared/errors.ts";
import { list, record, text } from "../shared/json.ts";
import { certificatesIn } from "../shared/pem.ts";
import { idOf } from "./authorities.ts";
import { spanOf } from "./authority.ts";

export interface CaBundleOptions {
  client: KubeClient;
  /** Name of the MutatingWebhookConfiguration. */
  name: string;
  caBundlePem: string;
  /**
   * Certificates that are there already stay as long as they are valid at this time; undefined: they are replaced. Replicas of which each knows
   * what its files hold, such as one that has just started, so take nothing from each other.
   */
  keepValidAtMs?: number | undefined;
}

const TRIES = 10;

/**
 * Writes the bundle into every webhook of the configuration that lacks it. The write is guarded, so a change that somebody else
 * makes meanwhile is kept. Resolves with whether anything was written. Throws NotFound where there is no such configuration.
 */
export async function patchCaBundle(options: CaBundleOptions): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await patchOnce(options);
    } catch (error) {
      if (tries === TRIES || !hasCode(error, "Conflict", "Invalid")) throw error;
    }
  }
}

/** A `test` that fails is answered as Invalid. */
async function patchOnce(options: CaBundleOptions): Promise<boolean> {
  const { client, name } = options;
  const configuration = record(await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name }));
  const operations = list(configuration["webhooks"]).flatMap((webhook, index) => {
    const present = text(record(record(webhook)["clientConfig"])["caBundle"]);
    const caBundle = bundleFor(present, options);
    const path = `/webhooks/${index}/clientConfig/caBundle`;
    return caBundle === present ? [] : [{ op: "add", path, value: caBundle }];
  });
  if (operations.length === 0) return false;
  const resourceVersion = text(record(configuration["metadata"])["resourceVersion"]);
  const guard = { op: "test", path: "/metadata/resourceVersion", value: resourceVersion };
  await client.patch(MUTATING_WEBHOOK_CONFIGURATIONS, { name }, [guard, ...operations], { type: "json" });
  return true;
}

/** In base64. */
function bundleFor(present: string | undefined, { caBundlePem, keepValidAtMs }: CaBundleOptions): string {
  const own = certificatesIn(caBundlePem);
  const there = present === undefined ? undefined : readable(Buffer.from(present, "base64").toString());
  if (keepValidAtMs === undefined || there === undefined) return Buffer.from(caBundlePem).toString("base64");
  const valid = there.filter((pem) => spanOf(pem).endMs >= keepValidAtMs);
  const ids = new Set(valid.map(idOf));
  const missing = own.filter((pem) => !ids.has(idOf(pem)));
  if (present !== undefined && missing.length === 0 && valid.length === there.length) return present;
  return Buffer.from([...valid, ...missing].map((pem) => `${pem}\n`).join("")).toString("base64");
}

/** The certificates of a bundle that somebody else may have written; undefined where one cannot be read. */
function readable(bundle: string): string[] | undefined {
  const all = certificatesIn(bundle);
  try {
    all.forEach(idOf);
    return all;
  } catch {
    return undefined;
  }
}
