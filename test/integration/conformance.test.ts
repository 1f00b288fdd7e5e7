/** kube-apiserver behaves as the in-memory API server (test/sim) does. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, inject } from "vitest";
import { NODES } from "../../src/kube/resources.ts";
import { record, text } from "../../src/shared/json.ts";
import { TOKEN_AUDIENCE } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import { conformance } from "../sim/conformance/conformance.ts";
import { connect, createNamespace } from "./kube/fixture.ts";
import { kubectlOf } from "./kubectl.ts";

const CRDS = join(import.meta.dirname, "../../deploy/crds");
const NODE = "conformance";

const client = connect();
let namespace: string;

beforeAll(async () => {
  const kubectl = kubectlOf(inject("cluster"));
  await waitFor({
    what: "konductor's CRDs",
    withinMs: 30_000,
    async holds() {
      await kubectl("apply", "-f", CRDS);
      await kubectl("wait", "--for=condition=Established", "-f", CRDS);
      return true;
    },
  });
  namespace = await createNamespace(client);
  // The garbage collector deletes a pod whose node does not exist.
  await client.create(NODES, { metadata: { name: NODE }, spec: { unschedulable: true } });
});

async function tokenOf({ name, uid }: { name: string; uid: string }): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const answer = await client.raw("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [TOKEN_AUDIENCE], boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid } },
  });
  return text(record(record(answer)["status"])["token"]) ?? "";
}

conformance((act) => act({ client, namespace, node: NODE, tokenOf, sleep: (ms) => sleep(ms) }));
