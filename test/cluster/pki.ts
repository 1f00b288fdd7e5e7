import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Authority, newAuthority, newKey, type Pair, type Subject } from "./certificates.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { API_SERVER_CLUSTER_IP } from "./kubelet-node-api.ts";
import { KUBELET_API_SERVER_ADDRESS } from "./network/addresses.ts";

/** A cluster's CA and the files that its processes read. */
export interface Pki {
  readonly dir: string;
  readonly authority: Authority;
  readonly admin: Pair;
  /** Writes `NAME.kubeconfig` for a new certificate and returns its path. `url`: the API server's, if not the usual one. */
  kubeconfig(name: string, subject: Subject, url?: string): Promise<string>;
}

export interface PkiOptions {
  /** The cluster's folder: certificates go to its subfolder `pki/`, kubeconfigs into the folder itself. */
  readonly dir: string;
  readonly address: string;
  readonly apiServerUrl: string;
}

const ADMINS = "system:masters";

/** Makes the certificates and keys of a control plane. */
export async function newPki({ dir, address, apiServerUrl }: PkiOptions): Promise<Pki> {
  const pkiDir = join(dir, "pki");
  await mkdir(pkiDir);
  const authority = await newAuthority("konductor test cluster");
  const write = async (name: string, { certificatePem, keyPem }: Pair) => {
    await writeFile(join(pkiDir, `${name}.crt`), certificatePem);
    await writeFile(join(pkiDir, `${name}.key`), keyPem, { mode: 0o600 });
  };
  const issue = async (name: string, subject: Subject) => {
    const pair = await authority.issue(subject);
    await write(name, pair);
    return pair;
  };
  const hosts = [
    ...new Set([
      address,
      "127.0.0.1",
      API_SERVER_CLUSTER_IP,
      KUBELET_API_SERVER_ADDRESS,
      "localhost",
      "kubernetes",
      "kubernetes.default.svc",
    ]),
  ];
  const serviceAccountKey = async () => {
    const key = await newKey();
    await writeFile(join(pkiDir, "sa.key"), key.privateKey, { mode: 0o600 });
    await writeFile(join(pkiDir, "sa.pub"), key.publicKey);
  };
  const [admin] = await Promise.all([
    issue("admin", { commonName: "admin", organization: ADMINS }),
    issue("apiserver", { commonName: "kube-apiserver", hosts }),
    issue("kubelet-client", { commonName: "kube-apiserver-kubelet-client", organization: ADMINS }),
    serviceAccountKey(),
    write("ca", authority),
  ]);
  return {
    dir: pkiDir,
    authority,
    admin,
    async kubeconfig(name, subject, url = apiServerUrl) {
      const path = join(dir, `${name}.kubeconfig`);
      const user = await authority.issue(subject);
      await writeKubeconfig({ path, url, caPem: authority.certificatePem, user });
      return path;
    },
  };
}
