/** What the user may do, by the API server's word. */
import type { KubeClient, WriteOptions } from "../kube/api.ts";
import type { Resource } from "../kube/resources.ts";
import { record } from "../shared/json.ts";

const ACCESS_REVIEWS: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "selfsubjectaccessreviews",
  kind: "SelfSubjectAccessReview",
  namespaced: false,
};

/** An action, as RBAC names it. */
export interface Access {
  namespace: string;
  verb: string;
  group: string;
  resource: string;
  name?: string | undefined;
}

/** Whether the user may do it. Everybody may ask. */
export async function isAllowed(
  client: KubeClient,
  access: Access,
  options?: WriteOptions,
): Promise<boolean> {
  const review = { spec: { resourceAttributes: access } };
  const { status } = record(await client.create(ACCESS_REVIEWS, review, undefined, options));
  return record(status)["allowed"] === true;
}
