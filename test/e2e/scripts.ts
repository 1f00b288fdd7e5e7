/** Pods whose own scripts call koncli: the pods have no label, an account with the rights of `konductor-user`, and koncli in their image. */
import { PODS } from "../../src/kube/resources.ts";
import { parsePod } from "../../src/lease/pod.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "./environment.ts";
import { type Journal, journalFunction } from "./journal.ts";
import { KONCLI_IMAGE } from "./koncli-image.ts";

const ACCOUNT = "scripts";

/** Gives the account of {@link scriptTemplate} the rights that koncli needs in `namespace`. */
export async function createScriptAccount({ kubectl }: Environment, namespace: string): Promise<void> {
  await kubectl("-n", namespace, "create", "serviceaccount", ACCOUNT);
  const subject = `--serviceaccount=${namespace}:${ACCOUNT}`;
  await kubectl("-n", namespace, "create", "rolebinding", ACCOUNT, "--clusterrole=konductor-user", subject);
}

export interface Script {
  journal: Journal;
  /** Lines of a shell script; `j EVENT` writes into the journal. */
  lines: readonly string[];
}

/** A pod template that runs `lines`. */
export function scriptTemplate({ journal, lines }: Script) {
  const prelude = journalFunction(journal.path);
  return {
    spec: {
      restartPolicy: "Never",
      serviceAccountName: ACCOUNT,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "script",
          image: KONCLI_IMAGE,
          imagePullPolicy: "IfNotPresent",
          command: ["/bin/sh", "-c", [prelude, ...lines].join("\n")],
          volumeMounts: [{ name: "journal", mountPath: journal.dir }],
        },
      ],
      volumes: [{ name: "journal", hostPath: { path: journal.dir } }],
    },
  };
}

/** A pod without a controller that runs `lines`. */
export function scriptPod(namespace: string, name: string, script: Script) {
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name }, ...scriptTemplate(script) };
}

/** Resolves with the output of pod `name` once its script has ended. */
export async function outputOf(
  { client, kubectl }: Environment,
  namespace: string,
  name: string,
): Promise<{ phase: string; log: string }> {
  let phase = "";
  await waitFor({
    what: `the script of pod ${name} to end`,
    withinMs: 90_000,
    async holds() {
      phase = (await client.get(PODS, { namespace, name }, parsePod)).phase;
      return phase === "Succeeded" || phase === "Failed";
    },
  });
  return { phase, log: await kubectl("-n", namespace, "logs", name) };
}
