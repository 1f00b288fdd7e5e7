import type { KubeClient } from "../../kube/api.ts";
import { MUTATING_WEBHOOK_CONFIGURATIONS, PODS } from "../../kube/resources.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { list, record, text } from "../../shared/json.ts";
import { accountName, WEBHOOK_CONFIGURATION } from "../../shared/names.ts";

const REMEDY = "name deploy/follow under `transformers` of the kustomization that installs konductor";

/**
 * Rejects with NotReady where the manifests were applied for another namespace: policies would bind another account than konductor's, and take
 * konductor's own requests for a stranger's. The webhook configuration, which konductor may read, stands for all of them.
 */
export async function checkAccount(client: KubeClient, namespace: string): Promise<void> {
  const configuration = record(
    await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name: WEBHOOK_CONFIGURATION }),
  );
  const account = accountName(namespace);
  for (const webhook of list(configuration["webhooks"]).map(record)) {
    const condition = list(webhook["matchConditions"])
      .map(record)
      .find(({ name }) => name === "not-konductor-itself");
    if (condition && !text(condition["expression"])?.includes(`'${account}'`)) {
      throw new KonductorError(
        "NotReady",
        `webhook ${text(webhook["name"])} of MutatingWebhookConfiguration ${WEBHOOK_CONFIGURATION} exempts another account than ${account}: ${REMEDY}`,
      );
    }
  }
}

/** A warning where konductor's own pod runs another image than gate and keeper will; undefined where both are the same, or nobody can say. */
export async function imageWarning(
  client: KubeClient,
  { namespace, identity, image }: { namespace: string; identity: string; image: string },
): Promise<string | undefined> {
  const pod = await client.get(PODS, { namespace, name: identity }).catch((error: unknown) => {
    if (hasCode(error, "NotFound")) return undefined;
    throw error;
  });
  const images = list(record(record(pod)["spec"])["containers"]).map((each) => text(record(each)["image"]));
  if (images.length === 0 || images.includes(image)) return undefined;
  return (
    `gate and keeper run image ${image}, and pod ${namespace}/${identity} runs ${images.join(", ")}: ${REMEDY}, ` +
    "unless a webhook has images pulled from a mirror"
  );
}
