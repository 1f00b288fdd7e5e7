import { expect } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { record, text } from "../../../src/shared/json.ts";
import { SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from "../../../src/shared/names.ts";
import { ownRequests } from "../../rights.ts";
import type { Scenario } from "../environment.ts";

const ACCOUNT = `system:serviceaccount:${SYSTEM_NAMESPACE}:${SERVICE_ACCOUNT}`;
const GROUPS = [
  "system:serviceaccounts",
  `system:serviceaccounts:${SYSTEM_NAMESPACE}`,
  "system:authenticated",
];

export const rights: readonly Scenario[] = [
  {
    name: "no request of konductor's own account was answered 403 in the whole suite",
    isSmoke: true,
    looksBack: true,
    async run({ client, cluster }) {
      const forbidden: string[] = [];
      let requests = 0;
      for await (const event of ownRequests(cluster.auditLogPath)) {
        requests++;
        const { code, message } = record(event["responseStatus"]);
        if (code !== 403 || isEndedNamespaces(text(message)) || (await isStartingServers(client, event)))
          continue;
        forbidden.push(`${text(event["verb"])} ${text(event["requestURI"])}: ${text(message)}`);
      }
      expect(forbidden).toEqual([]);
      expect(requests).toBeGreaterThan(0);
    },
  },
];

/** Whether the call was refused because its namespace is being deleted, whoever the caller is (NamespaceLifecycle admission). */
function isEndedNamespaces(message = ""): boolean {
  return /unable to create new content in namespace \S+ because it is being terminated/.test(message);
}

/**
 * Whether the 403 came from an API server that had just started and did not know its roles yet: the same roles, which nobody changes in the suite,
 * allow the call now.
 */
async function isStartingServers(client: KubeClient, event: Record<string, unknown>): Promise<boolean> {
  if (record(event["annotations"])["authorization.k8s.io/decision"] !== "forbid") return false;
  const { verb, objectRef, requestURI } = event;
  const { apiGroup: group, resource, subresource, namespace, name } = record(objectRef);
  const attributes =
    objectRef === undefined
      ? { nonResourceAttributes: { verb, path: requestURI } }
      : { resourceAttributes: { verb, group, resource, subresource, namespace, name } };
  const review = await client.raw("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user: ACCOUNT, groups: GROUPS, ...attributes },
  });
  return record(record(review)["status"])["allowed"] === true;
}
