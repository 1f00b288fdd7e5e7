/** The calls that a node makes to the API server. */
import type { KubeClient } from "../../../src/kube/client.ts";
import { CONFIG_MAPS, PODS, SECRETS } from "../../../src/kube/resources.ts";
import { hasCode } from "../../../src/shared/errors.ts";
import { fieldsOf } from "./fields.ts";
import { parsePod } from "./parse-pod.ts";
import type { Pod } from "./pod.ts";
import type { PodStatus } from "./pod-status.ts";

export interface TokenSpec {
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

export interface BoundToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Errors are KonductorErrors, unless a method's comment says otherwise. */
export interface NodeApi {
  /** A token of the pod's service account that is valid as long as the pod exists. */
  requestToken(pod: Pod, spec: TokenSpec): Promise<BoundToken>;
  /** The data of a ConfigMap or Secret; empty if it is missing and `optional`. */
  objectData(
    kind: "configMap" | "secret",
    namespace: string,
    name: string,
    optional: boolean,
  ): Promise<Record<string, string>>;
  /** Resolves with the pod after the write, or undefined if it is gone. */
  writeStatus(pod: Pod, status: PodStatus): Promise<Pod | undefined>;
  /** Deletes a terminated pod from the API; succeeds if it is gone already. */
  removePod(pod: Pod): Promise<void>;
}

export function nodeApi(kube: KubeClient): NodeApi {
  return {
    async requestToken({ namespace, name, uid, serviceAccountName }, { audience, expirationSeconds }) {
      const answer = await kube.raw(
        "POST",
        `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccountName}/token`,
        {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: {
            ...(audience === undefined ? {} : { audiences: [audience] }),
            expirationSeconds,
            boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
          },
        },
      );
      const status = fieldsOf(answer, "TokenRequest").child("status");
      return { token: status.text("token"), expiresAtMs: Date.parse(status.text("expirationTimestamp")) };
    },
    async objectData(kind, namespace, name, optional) {
      try {
        const found = await kube.get(kind === "secret" ? SECRETS : CONFIG_MAPS, { namespace, name });
        const data = fieldsOf(found, kind).map("data");
        if (kind === "configMap") return { ...data };
        const decode = (text: string) => Buffer.from(text, "base64").toString("utf8");
        return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, decode(text)]));
      } catch (error) {
        if (optional && hasCode(error, "NotFound")) return {};
        throw error;
      }
    },
    async writeStatus({ namespace, name, uid }, status) {
      try {
        const patch = { metadata: { uid }, status };
        return await kube.patch(
          PODS,
          { namespace, name },
          patch,
          { type: "strategic", subresource: "status" },
          parsePod,
        );
      } catch (error) {
        if (hasCode(error, "NotFound", "Conflict")) return undefined;
        throw error;
      }
    },
    async removePod({ namespace, name, uid }) {
      try {
        await kube.delete(PODS, { namespace, name }, { uid, gracePeriodSeconds: 0 });
      } catch (error) {
        if (!hasCode(error, "NotFound", "Conflict")) throw error;
      }
    },
  };
}
