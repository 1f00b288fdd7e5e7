/**
 * The components of certs/ on a real API server: konductor runs as a local process, with the rights and flags that a component leaves it, and
 * the API server calls it by its Service's name. A folder is the volume that a kubelet would mount.
 */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { KubeClient } from "../../../src/kube/api.ts";
import { list, record, text, textMap } from "../../../src/shared/json.ts";
import { ENV, GATE_CONTAINER, LEASE_LABEL, SYSTEM_NAMESPACE } from "../../../src/shared/names.ts";
import { certificatesIn } from "../../../src/shared/pem.ts";
import { idOf } from "../../../src/tls/authorities.ts";
import { createAuthority, issueServingCertificate, type KeyPair } from "../../../src/tls/authority.ts";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { waitFor } from "../../cluster/wait.ts";
import { adminClient } from "../../e2e/admin-client.ts";
import { accountKubeconfig } from "../../e2e/process-environment.ts";
import { createReplica, type Replica, replicaFlags } from "../../e2e/replica.ts";
import { noteRights, ownRequests } from "../../rights.ts";
import { type Kubectl, kubectlOf } from "../kubectl.ts";
import { type CertManager, realCertManager } from "./cert-manager.ts";

const ROOT = join(import.meta.dirname, "../../..");
const SYSTEM = `--namespace=${SYSTEM_NAMESPACE}`;
const HOST = `konductor.${SYSTEM_NAMESPACE}.svc`;
const CONFIGURATION = "mutatingwebhookconfiguration/konductor";
/** Short lives, which are not used, make upkeep short, too: a tenth of the shorter one. */
const UPKEEP_OFTEN = ["--ca-duration=30s", "--certificate-duration=5s"];

const { env, programsDir } = inject("cluster");
let cluster: Cluster;
let kubectl: Kubectl;
let client: KubeClient;
let dir: string;
beforeAll(async () => {
  // Webhooks are called at the Service's own address, which a Service of type ExternalName may choose.
  const flags = { "kube-apiserver": ["--enable-aggregator-routing=false"] };
  cluster = await startCluster({ node: "none", env, log: { line() {}, status() {} }, flags });
  kubectl = kubectlOf(cluster);
  client = adminClient(cluster);
  dir = await mkdtemp(join(tmpdir(), "konductor-certs-"));
});
afterAll(async () => {
  await client?.close();
  if (cluster) await noteRights(cluster, env).finally(() => cluster.stop());
  await rm(dir, { recursive: true, force: true });
});

/** An install with one replica. */
interface Install {
  replica: Replica;
  port: number;
  /** Plays the kubelet: brings what the Secret holds now into the volume, all of it at once. */
  mount(): Promise<void>;
}

/** Applies deploy/ with a component by an overlay, as an admin would. */
async function install(component: string, firstPort: number): Promise<Install> {
  const [port = 0, healthPort = 0] = cluster.freePorts.slice(firstPort);
  const overlay = join(dir, component);
  await mkdir(overlay);
  const resources = [relative(overlay, join(ROOT, "deploy"))];
  const components = [relative(overlay, join(ROOT, "certs", component))];
  await writeFile(join(overlay, "kustomization.yaml"), JSON.stringify({ resources, components }));
  const items = parseAllDocuments(await kubectl("kustomize", overlay)).map((document) =>
    onLoopback(record(document.toJS()), port),
  );
  await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");

  const deployment = record(items.find((item) => item["kind"] === "Deployment"));
  const pod = record(record(record(deployment["spec"])["template"])["spec"]);
  const container = record(list(pod["containers"])[0]);
  const [volume, ...otherVolumes] = list(pod["volumes"]).map(record);
  const [volumeMount, ...otherMounts] = list(container["volumeMounts"]).map(record);
  expect([otherVolumes, otherMounts, volumeMount?.["name"]]).toEqual([[], [], volume?.["name"]]);
  const secretName = text(record(volume?.["secret"])["secretName"]) ?? "";
  const mountPath = text(volumeMount?.["mountPath"]) ?? "";
  const certDir = join(overlay, "volume");
  await mkdir(certDir);
  const kubeconfigPath = await accountKubeconfig(kubectl, overlay);
  const gateUrl = `https://127.0.0.1:${port}`;
  const command = list(container["command"]).flatMap((word) => text(word) ?? []);
  const replica = createReplica({
    identity: component,
    programPath: join(programsDir, "konductor.js"),
    healthPort,
    clockOffsetMs: 0,
    logPath: join(cluster.dir, "log", `${component}.log`),
    flags: [
      ...replicaFlags(
        { port, healthPort },
        { kubeconfigPath, image: text(container["image"]) ?? "", gateUrl },
      ),
      ...UPKEEP_OFTEN,
      ...command.slice(command.indexOf("serve") + 1).map((word) => word.replace(mountPath, certDir)),
    ],
  });
  let versions = 0;
  return {
    replica,
    port,
    async mount() {
      const version = `..${++versions}`;
      await mkdir(join(certDir, version));
      for (const [name, content] of Object.entries(await dataOf(secretName))) {
        await writeFile(join(certDir, version, name), content);
        await symlink(join("..data", name), join(certDir, name)).catch(() => undefined);
      }
      await symlink(version, join(certDir, "..data_tmp"));
      await rename(join(certDir, "..data_tmp"), join(certDir, "..data"));
    },
  };
}

/** The Service leads to this machine, and webhooks to the replica's port. */
function onLoopback(object: Record<string, unknown>, port: number): Record<string, unknown> {
  if (object["kind"] === "Service")
    return { ...object, spec: { type: "ExternalName", externalName: "localhost" } };
  if (object["kind"] !== "MutatingWebhookConfiguration") return object;
  const webhooks = list(object["webhooks"]).map((entry) => {
    const service = { ...record(record(record(entry)["clientConfig"])["service"]), port };
    return { ...record(entry), clientConfig: { service } };
  });
  return { ...object, webhooks };
}

async function dataOf(secretName: string): Promise<Record<string, string>> {
  const data = textMap(
    JSON.parse(await kubectl("get", `secret/${secretName}`, SYSTEM, "--output=jsonpath={.data}")),
  );
  const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return Object.fromEntries(decoded);
}

/** What the API server makes of a labelled pod: the CAs that its gate will trust. Rejects where the webhook cannot be called. */
async function admit(): Promise<string> {
  const pod = {
    metadata: { name: "report", labels: { [LEASE_LABEL]: "report" } },
    spec: { containers: [{ name: "main", image: "none" }] },
  };
  const answer = record(await client.raw("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod));
  const gate = list(record(answer["spec"])["initContainers"])
    .map(record)
    .find(({ name }) => name === GATE_CONTAINER);
  const variable = list(gate?.["env"])
    .map(record)
    .find(({ name }) => name === ENV.ca);
  return text(variable?.["value"]) ?? "";
}

/** As a gate: the certificate that is served to who trusts `ca`. */
function servedTo(ca: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: HOST, ca });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? "");
      socket.destroy();
    });
  });
}

/** Line ends of the same certificate may differ. */
const idsIn = (bundle: string) => certificatesIn(bundle).map(idOf);

const until = (what: string, holds: () => Promise<boolean>) => waitFor({ what, withinMs: 40_000, holds });

/** Between two admissions. */
const PAUSE_MS = 50;

/** Resolves with what went wrong with admissions, one after the other, while `action` ran. */
async function failuresDuring(action: () => Promise<void>): Promise<unknown[]> {
  const failures: unknown[] = [];
  let isOver = false;
  const admissions = (async () => {
    while (!isOver) {
      await admit().catch((error: unknown) => failures.push(error));
      await sleep(PAUSE_MS);
    }
  })();
  try {
    await action();
  } finally {
    isOver = true;
    await admissions;
  }
  return failures;
}

async function bundles(): Promise<string[]> {
  const webhooks = JSON.parse(await kubectl("get", CONFIGURATION, "--output=jsonpath={.webhooks}"));
  return list(webhooks).map((webhook) =>
    Buffer.from(text(record(record(webhook)["clientConfig"])["caBundle"]) ?? "", "base64").toString(),
  );
}

/** Resources that konductor's own account has asked for, though a component has taken its right. */
async function asked(resources: readonly string[]): Promise<unknown[]> {
  const found = new Set<unknown>();
  for await (const { objectRef } of ownRequests(cluster.auditLogPath))
    found.add(record(objectRef)["resource"]);
  return [...found].filter((resource) => resources.includes(String(resource)));
}

describe("cert-manager", () => {
  let certManager: CertManager;
  let installed: Install;
  beforeAll(async () => {
    const options = { cluster, kubectl, env };
    certManager = realCertManager(options);
    await certManager.install();
    installed = await install("cert-manager", 0);
  });
  afterAll(async () => {
    await installed?.replica.stop();
    await certManager?.stop();
  });

  test("a replica waits until the Secret is filled; then the API server and gates trust it", async () => {
    const { replica, port, mount } = installed;
    const ready = replica.start();
    await until("the replica to say what is missing", async () =>
      (await replica.log()).includes("tls.crt cannot be read; mount a Secret there"),
    );
    await certManager.start();
    await until("the Secret", () => mount().then(() => true));
    await ready;
    await until("the bundle to be injected", async () => idsIn((await bundles())[0] ?? "").length > 0);
    await until("a labelled pod to be admitted", () => admit().then(() => true));
    const ca = await admit();
    expect(idsIn(ca)).toEqual(idsIn((await dataOf("konductor-certificate"))["ca.crt"] ?? ""));
    expect((await bundles()).map(idsIn)).toEqual(Array(7).fill(idsIn(ca)));
    await servedTo(ca, port);
  });

  test("renewed certificates are served, and nobody's trust is lost", async () => {
    const { replica, port, mount } = installed;
    const before = await admit();
    const old = await servedTo(before, port);
    const failures = await failuresDuring(async () => {
      await certManager.renew();
      await mount();
      // Who trusts what was there before, such as a running keeper, is served the new one.
      await until("the new certificate to be served", async () => (await servedTo(before, port)) !== old);
    });
    expect(failures).toEqual([]);
    expect(await replica.log()).not.toContain("do not trust yet");
    await replica.stop();
    await replica.start();
    await servedTo(await admit(), port);
  });

  test("konductor asks for no Secret and no webhook configuration, and the annotation stays", async () => {
    expect(await asked(["secrets", "mutatingwebhookconfigurations"])).toEqual([]);
    expect(await kubectl("get", CONFIGURATION, "--output=jsonpath={.metadata.annotations}")).toContain(
      '"cert-manager.io/inject-ca-from":"konductor-system/konductor"',
    );
  });
});

describe("files", () => {
  let installed: Install;
  let authority: KeyPair;
  /** What an admin does by `kubectl create secret`. */
  async function fill(signer: KeyPair, lifeMs?: number): Promise<void> {
    const names = { dnsNames: [HOST], ipAddresses: [] };
    const { certPem, keyPem } = await issueServingCertificate(signer, names, Date.now(), lifeMs);
    const files = { "tls.crt": certPem, "tls.key": keyPem, "ca.crt": signer.certPem };
    const paths = Object.entries(files).map(([name, content]) => ({ path: join(dir, name), content }));
    for (const { path, content } of paths) await writeFile(path, content);
    const create = [
      "create",
      "secret",
      "generic",
      "konductor-certificate",
      SYSTEM,
      "--type=kubernetes.io/tls",
    ];
    const from = paths.map(({ path }) => `--from-file=${path}`);
    await kubectl("delete", "secret/konductor-certificate", SYSTEM, "--ignore-not-found");
    await kubectl(...create, ...from);
  }
  beforeAll(async () => {
    authority = await createAuthority(Date.now());
    installed = await install("files", 2);
    await fill(authority);
    await installed.mount();
    await installed.replica.start();
    await until("a labelled pod to be admitted", () => admit().then(() => true));
  });
  afterAll(() => installed?.replica.stop());

  test("konductor has the API server trust the CA, beside those that it trusts already", async () => {
    const own = idsIn(await admit());
    expect(own).toEqual(idsIn(authority.certPem));
    for (const bundle of await bundles()) expect(idsIn(bundle)).toEqual(expect.arrayContaining(own));
  });

  test("a certificate of the same CA, and then one of another, are served without a failed admission", async () => {
    const { port, mount } = installed;
    const before = await admit();
    const old = await servedTo(before, port);
    // Of another one, half of the rest of this life is waited for.
    const shortMs = 20_000;
    const other = await createAuthority(Date.now());
    const failures = await failuresDuring(async () => {
      await fill(authority, shortMs);
      await mount();
      await until("the new certificate to be served", async () => (await servedTo(before, port)) !== old);
      await fill(other);
      await mount();
      await until("both CAs to be told", async () => idsIn(await admit()).length === 2);
      await until("the certificate of the other CA to be served", () =>
        servedTo(other.certPem, port).then(() => true),
      );
    });
    expect(failures).toEqual([]);
    const [bundle = ""] = await bundles();
    const both = [authority, other].flatMap(({ certPem }) => idsIn(certPem));
    expect(idsIn(bundle)).toEqual(expect.arrayContaining(both));
    expect(await asked(["secrets"])).toEqual([]);
  });
});
