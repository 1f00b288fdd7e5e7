import { createReadStream } from "node:fs";
import { appendFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { record, text } from "../../../src/shared/json.ts";
import { SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from "../../../src/shared/names.ts";
import { rightOf } from "../../rights.ts";
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
    looksBack: true,
    async run({ client, cluster, rightsPath }) {
      const lines = createInterface({ input: createReadStream(cluster.auditLogPath) });
      const forbidden: string[] = [];
      const used = new Set<string>();
      for await (const line of lines) {
        // Most lines are others'; this one is cheap to rule out.
        if (!line.includes(ACCOUNT)) continue;
        const event = record(JSON.parse(line));
        if (record(event["user"])["username"] !== ACCOUNT) continue;
        used.add(rightOf(event));
        const { code, message } = record(event["responseStatus"]);
        if (code !== 403 || isEndedNamespaces(text(message)) || (await isStartingServers(client, event)))
          continue;
        forbidden.push(`${text(event["verb"])} ${text(event["requestURI"])}: ${text(message)}`);
      }
      expect(forbidden).toEqual([]);
      expect(used.size).toBeGreaterThan(0);
      // Which of them is never used can only be said of all scenarios on all nodes: see test/run.ts.
      if (rightsPath) await appendFile(rightsPath, `${[...used].join("\n")}\n`);
    },
  },
];

/** Whether it was refused, whoever asks, since its namespace is being deleted (NamespaceLifecycle admission). */
function isEndedNamespaces(message = ""): boolean {
  return /unable to create new content in namespace \S+ because it is being terminated/.test(message);
}

/**
 * Whether the 403 was the answer of an API server that had just been started and did not know its roles yet: its authorizer refused
 * what the same roles, which nobody changes in the suite, allow.
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
