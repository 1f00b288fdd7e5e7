/** Who issues what the objects of certs/cert-manager ask for: the real cert-manager, or a stand-in that writes what it would write. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { list, record, text } from "../../../src/shared/json.ts";
import { createAuthority, issueServingCertificate } from "../../../src/tls/authority.ts";
import { binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { run } from "../../cluster/command.ts";
import { streamLog } from "../../cluster/log.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Kubectl } from "../kubectl.ts";

export interface CertManager {
  /** Makes its kinds known to the API server. */
  install(): Promise<void>;
  /** Issues what there is, sooner or later. */
  start(): Promise<void>;
  /** Has the certificates of CA and server issued again, as before they expire. */
  renew(): Promise<void>;
  stop(): Promise<void>;
}

export interface CertManagerOptions {
  cluster: Cluster;
  kubectl: Kubectl;
  env: Readonly<Record<string, string | undefined>>;
}

const SYSTEM = "--namespace=konductor-system";
const MODULE_DIR = join(import.meta.dirname, "../../cluster/go/cert-manager");

/** cert-manager's own controllers and CA injector, as a process with the rights of an admin. */
export function realCertManager({ cluster, kubectl, env }: CertManagerOptions): CertManager {
  let child: ChildProcess | undefined;
  const fieldOf = async (what: string, path: string) =>
    kubectl("get", what, SYSTEM, `--output=jsonpath={${path}}`);
  /** As `cmctl renew`. */
  async function renew(name: string): Promise<void> {
    const revision = await fieldOf(`certificate/${name}`, ".status.revision");
    const condition = { type: "Issuing", status: "True", reason: "ManuallyTriggered", message: "by a test" };
    const change = [{ op: "add", path: "/status/conditions/-", value: condition }];
    const patch = `--patch=${JSON.stringify(change)}`;
    await kubectl("patch", `certificate/${name}`, SYSTEM, "--subresource=status", "--type=json", patch);
    await waitFor({
      what: `Certificate ${name} to be renewed`,
      withinMs: 30_000,
      holds: async () => (await fieldOf(`certificate/${name}`, ".status.revision")) !== revision,
    });
  }
  return {
    async install() {
      const download = ["mod", "download", "-json", "github.com/cert-manager/cert-manager"];
      const { Dir: dir } = record(JSON.parse(await run("go", download, { cwd: MODULE_DIR, env })));
      const kinds = join(text(dir) ?? "", "deploy/crds");
      // Client-side apply would store them whole in an annotation, for which they are too long.
      await kubectl("apply", "--server-side", "-f", kinds);
      await kubectl("wait", "--for=condition=Established", "-f", kinds);
    },
    async start() {
      const sources = binarySources(env, streamLog(process.stderr));
      const { "cert-manager": path } = await findBinaries(["cert-manager"], sources);
      child = spawn("setpriv", ["--pdeathsig", "KILL", path, cluster.kubeconfigPath]);
      child.stderr?.pipe(createWriteStream(join(cluster.dir, "log", "cert-manager-controller.log")));
    },
    async renew() {
      await renew("konductor-ca");
      await renew("konductor");
    },
    async stop() {
      if (!child || child.exitCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A kind that takes any spec. */
function kind(plural: string, name: string) {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.cert-manager.io` },
    spec: {
      group: "cert-manager.io",
      scope: "Namespaced",
      names: { plural, kind: name },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}

/** Follows the objects from the annotation of the webhook configuration to the CA, as cert-manager does. */
export function certManagerByHand({ kubectl }: CertManagerOptions): CertManager {
  const authority = createAuthority(Date.now());
  const objectOf = async (what: string, ...args: string[]) =>
    record(JSON.parse(await kubectl("get", what, ...args, "--output=json")));
  const specOf = async (what: string) => record((await objectOf(what, SYSTEM))["spec"]);
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");

  async function issue(): Promise<void> {
    const configuration = await objectOf("mutatingwebhookconfiguration/konductor");
    const from = text(
      record(record(configuration["metadata"])["annotations"])["cert-manager.io/inject-ca-from"],
    );
    const [namespace, name] = from?.split("/") ?? [];
    const certificate = await specOf(`certificate/${name}`);
    const { ca } = await specOf(`issuer/${text(record(certificate["issuerRef"])["name"])}`);
    const authorities = list((await objectOf("certificates", SYSTEM))["items"]).map((item) =>
      record(record(item)["spec"]),
    );
    const signer = authorities.find(({ secretName }) => secretName === record(ca)["secretName"]);
    if (signer?.["isCA"] !== true) throw new Error(`no CA issues for the Certificate ${name}`);
    const { certPem: caPem, keyPem: caKeyPem } = await authority;
    const dnsNames = list(certificate["dnsNames"]).flatMap((dnsName) => text(dnsName) ?? []);
    const names = { dnsNames, ipAddresses: [] };
    const serving = await issueServingCertificate({ certPem: caPem, keyPem: caKeyPem }, names, Date.now());
    await kubectl.withObject(
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name: certificate["secretName"] },
        type: "kubernetes.io/tls",
        data: {
          "tls.crt": base64(serving.certPem),
          "tls.key": base64(serving.keyPem),
          "ca.crt": base64(caPem),
        },
      },
      "apply",
    );
    const change = list(configuration["webhooks"]).map((_, index) => ({
      op: "add",
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: base64(caPem),
    }));
    const patch = `--patch=${JSON.stringify(change)}`;
    await kubectl("patch", "mutatingwebhookconfiguration/konductor", "--type=json", patch);
  }
  return {
    async install() {
      const items = [kind("certificates", "Certificate"), kind("issuers", "Issuer")];
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");
      const kinds = items.map(({ metadata }) => `crd/${metadata.name}`);
      await kubectl("wait", "--for=condition=Established", ...kinds);
    },
    start: issue,
    renew: issue,
    async stop() {},
  };
}
