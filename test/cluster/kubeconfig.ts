import { writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import type { Pair } from "./certificates.ts";

export interface Kubeconfig {
  readonly path: string;
  readonly url: string;
  readonly caPem: string;
  readonly user: Pair;
}

/** Writes a self-contained kubeconfig, which can be copied elsewhere. */
export async function writeKubeconfig({ path, url, caPem, user }: Kubeconfig): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": base64(caPem) } }],
    users: [
      {
        name: "test",
        user: {
          "client-certificate-data": base64(user.certificatePem),
          "client-key-data": base64(user.keyPem),
        },
      },
    ],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
}
