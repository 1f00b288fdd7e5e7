import type { KubeClient } from "../kube/api.ts";
import { MUTATING_WEBHOOK_CONFIGURATIONS } from "../kube/resources.ts";
import { hasCode } from "../shared/errors.ts";
import { list, record, text } from "../shared/json.ts";

export interface CaBundleOptions {
  client: KubeClient;
  /** Name of the MutatingWebhookConfiguration. */
  name: string;
  caBundlePem: string;
}

const TRIES = 10;

/**
 * Writes the bundle into every webhook of the configuration that has another one. The write is guarded, so a change that somebody else
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
async function patchOnce({ client, name, caBundlePem }: CaBundleOptions): Promise<boolean> {
  const configuration = record(await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name }));
  const caBundle = Buffer.from(caBundlePem).toString("base64");
  const operations = list(configuration["webhooks"]).flatMap((webhook, index) =>
    record(record(webhook)["clientConfig"])["caBundle"] === caBundle
      ? []
      : [{ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }],
  );
  if (operations.length === 0) return false;
  const resourceVersion = text(record(configuration["metadata"])["resourceVersion"]);
  const guard = { op: "test", path: "/metadata/resourceVersion", value: resourceVersion };
  await client.patch(MUTATING_WEBHOOK_CONFIGURATIONS, { name }, [guard, ...operations], { type: "json" });
  return true;
}
