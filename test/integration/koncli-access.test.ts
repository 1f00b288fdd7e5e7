/** With which credentials koncli reaches a cluster, what it says if it is refused or fails, and what it refuses before it sends anything. */
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { run } from "../cluster/command.ts";
import { waitFor } from "../cluster/wait.ts";
import { koncli, writeKubeconfig } from "./koncli.ts";
import { kubectlOf } from "./kubectl.ts";

const NAMESPACE = "koncli-access";
const TEMPLATES = "koncli-templates";
const DEPLOY = join(import.meta.dirname, "../../deploy");
const cluster = inject("cluster");
const kubectl = kubectlOf(cluster);
let dir: string;
let token: string;

/** A kubeconfig for the same cluster, with this user, and whatever `change` makes of the cluster. */
const kubeconfig = (name: string, user: object, change: object = {}) =>
  writeKubeconfig(kubectl, join(dir, name), { user, change });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-koncli-"));
  for (const path of ["crds", "user-roles.yaml"]) await kubectl("apply", "-f", join(DEPLOY, path));
  await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
  await kubectl("create", "namespace", NAMESPACE);
  await kubectl("-n", NAMESPACE, "create", "serviceaccount", "viewer");
  const binding = ["create", "rolebinding", "viewer", "--clusterrole=konductor-view"];
  await kubectl("-n", NAMESPACE, ...binding, `--serviceaccount=${NAMESPACE}:viewer`);
  token = (await kubectl("-n", NAMESPACE, "create", "token", "viewer")).trim();
  const metadata = { namespace: NAMESPACE, name: "report" };
  const lease = { apiVersion: "konductor.io/v1", kind: "Lease", metadata, spec: { ttl: "1m" } };
  await kubectl("create", "namespace", TEMPLATES);
  const inTemplates = { ...lease, metadata: { ...metadata, namespace: TEMPLATES } };
  const templated = {
    ...lease,
    metadata: {
      ...{ namespace: TEMPLATES, name: "templated", labels: { "app.kubernetes.io/name": "web" } },
      finalizers: ["example.com/a", "example.com/b", "example.com/c"],
    },
  };
  await waitFor({
    what: "the new resources to be served",
    withinMs: 20_000,
    holds: async () => {
      for (const object of [lease, inTemplates, templated]) await kubectl.withObject(object, "apply");
      return true;
    },
  });
});
afterAll(async () => {
  const free = ["patch", "klease/templated", "--type=merge", '--patch={"metadata":{"finalizers":null}}'];
  await kubectl("-n", TEMPLATES, ...free);
  await kubectl("delete", "namespace", TEMPLATES, "--wait=false");
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await rm(dir, { recursive: true, force: true });
});

const LIST = ["-n", NAMESPACE, "lease", "list", "-o", "name"];
const REPORT = { code: 0, out: "lease.konductor.io/report\n", err: "" };

test("koncli prints its version and the API server's, as kubectl does", async () => {
  const at = ["--kubeconfig", cluster.kubeconfigPath];
  const said = await kubectl("version");
  const [server] = said.match(/^Server Version: .*$/m) ?? [];
  expect(await koncli([...at, "version"])).toEqual({
    ...{ code: 0, err: "" },
    out: `Client Version: v0.0.0-source\n${server}\n`,
  });
  expect((await koncli(["version", "--client", "-o", "json"])).out).toBe(
    '{\n    "clientVersion": "0.0.0-source"\n}\n',
  );
});

describe("a template prints the same as in kubectl", () => {
  const at = ["--kubeconfig", cluster.kubeconfigPath, "-n", TEMPLATES];
  test.each([
    "{.metadata.name}",
    ".spec.ttl",
    "{.metadata.name}{'\\t'}{.spec.ttl}{\"\\n\"}",
    "name: {.metadata.name}, ttl {.spec.ttl}.",
    "{.metadata['name']}",
    "{$.kind} {@.apiVersion}",
    "{.spec}",
    "{.metadata.nothing}",
    "{..ttl}",
    "{.metadata.labels.app\\.kubernetes\\.io/name}",
    "{.metadata.finalizers[0]} {.metadata.finalizers[-1]} {.metadata.finalizers[0:1]}",
    "{.metadata.finalizers[*]}",
    "{range .metadata.finalizers[*]}<{@}>{end}",
  ])("%s", async (template) => {
    const own = await koncli([...at, "lease", "status", "templated", "-o", `jsonpath=${template}`]);
    const kubectls = await kubectl(
      "-n",
      TEMPLATES,
      "get",
      "klease",
      "templated",
      "-o",
      `jsonpath=${template}`,
    );
    expect(own).toEqual({ code: 0, err: "", out: kubectls });
  });

  test.each([
    "{.items[*].metadata.name}",
    "{range .items[*]}{.metadata.name}={.spec.ttl}{'\\n'}{end}",
    '{.items[?(@.metadata.name=="report")].spec.ttl}',
    '{.items[?(@.metadata.name!="report")].metadata.name}',
    "{.items[?(@.metadata.finalizers)].metadata.name}",
    "{.items[0].kind}",
  ])("of a list: %s", async (template) => {
    const own = await koncli([...at, "lease", "list", "-o", `jsonpath=${template}`]);
    const kubectls = await kubectl("-n", TEMPLATES, "get", "klease", "-o", `jsonpath=${template}`);
    expect(own).toEqual({ code: 0, err: "", out: kubectls });
  });

  test.each(["{.metadata", "{range .items[*]}x", "{end}", "{.items[?(@.a==}", "{.metadata[}"])(
    "%s is refused before anything is sent",
    async (template) => {
      const { code, err } = await koncli([
        "--kubeconfig",
        join(dir, "nowhere"),
        "lease",
        "list",
        "-o",
        `jsonpath=${template}`,
      ]);
      expect([code, err]).toEqual([2, expect.stringMatching(/^error: .*jsonpath/)]);
    },
  );
});

describe("koncli reaches the cluster", () => {
  test("by a client certificate", async () => {
    expect(await koncli(["--kubeconfig", cluster.kubeconfigPath, ...LIST])).toEqual(REPORT);
  });
  test("by a token", async () => {
    expect(await koncli(["--kubeconfig", await kubeconfig("token", { token }), ...LIST])).toEqual(REPORT);
  });
  test("by a credential plugin in the kubeconfig", async () => {
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token },
    };
    const plugin = join(dir, "plugin");
    await writeFile(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
    await chmod(plugin, 0o755);
    const exec = { apiVersion: credential.apiVersion, command: plugin, interactiveMode: "Never" };
    expect(await koncli(["--kubeconfig", await kubeconfig("exec", { exec }), ...LIST])).toEqual(REPORT);
  });
  test("as a plugin of kubectl, with flags on either side", async () => {
    const program = join(cluster.programsDir, "koncli.js");
    for (const name of ["kubectl-koncli", "kubectl_complete-koncli"]) await symlink(program, join(dir, name));
    const PATH = [dir, dirname(process.execPath), process.env["PATH"]].join(":");
    const env = ["env", `PATH=${PATH}`, `KUBECONFIG=${cluster.kubeconfigPath}`, cluster.kubectlPath];
    const [command = "", ...args] = env;
    expect(await run(command, [...args, "koncli", ...LIST])).toBe(REPORT.out);
    expect(await run(command, [...args, "koncli", "lease", "list", "-oname", "-n", NAMESPACE])).toBe(
      REPORT.out,
    );
    const completed = await run(command, [...args, "__complete", "koncli", "lease", "hist"]);
    expect(completed).toMatch(/^history\n:4\n/);
  });
});

describe("koncli says what to do", () => {
  const fails = async (args: readonly string[], ...sentence: (string | RegExp)[]) => {
    const { code, out, err } = await koncli(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    for (const part of sentence) expect(err).toMatch(part);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  };

  test("if rights are missing", async () => {
    const path = await kubeconfig("viewer", { token });
    const create = ["--kubeconfig", path, "-n", NAMESPACE, "lease", "create", "other", "--ttl", "1m"];
    await fails(
      create,
      /^error: cannot create klease koncli-access\/other: /,
      "ask for ClusterRole konductor-user",
    );
    const viewer = ["--kubeconfig", path];
    for (const args of [
      ["list"],
      ["status", "report"],
      ["queue", "report"],
      ["history", "report"],
      ["watch"],
    ]) {
      await fails([...viewer, "-n", "default", "lease", ...args], /^error: .*forbidden.*konductor-user/);
    }
    await fails(
      [...viewer, "-n", NAMESPACE, "lease", "delete", "report"],
      "cannot delete klease koncli-access/report: ",
      "konductor-admin",
    );
  });
  test("if the token is invalid", async () => {
    const path = await kubeconfig("bad", { token: "no-good" });
    await fails(["--kubeconfig", path, ...LIST], /^error: .*HTTP 401.*token may have expired/);
  });
  test("if the server cannot be reached, or is a different server", async () => {
    const away = await kubeconfig("away", { token }, { server: "https://127.0.0.1:1" });
    await fails(
      ["--kubeconfig", away, ...LIST],
      /^error: .*connection to the API server failed.*check the server/,
    );
    const authority = { "certificate-authority-data": Buffer.from("none").toString("base64") };
    await fails(
      ["--kubeconfig", await kubeconfig("ca", { token }, authority), ...LIST],
      /^error: .*API server/,
    );
  });
  test("if konductor is not installed", async () => {
    // An API server gives the same answer for a resource that it does not know as for a path that it does not know.
    const change = { server: `${cluster.apiServerUrl}/elsewhere` };
    const elsewhere = await writeKubeconfig(kubectl, join(dir, "elsewhere"), { change });
    await fails(["--kubeconfig", elsewhere, ...LIST], /^error: konductor is not installed in this cluster/);
  });
  test("if there is no kubeconfig, or no such context in it", async () => {
    await fails(
      ["--kubeconfig", join(dir, "nowhere"), ...LIST],
      /^error: the kubeconfig .*nowhere cannot be read/,
    );
    await fails(
      ["--kubeconfig", cluster.kubeconfigPath, "--context", "other", ...LIST],
      /there is no context "other"/,
    );
  });
  test("if a plugin fails", async () => {
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "false",
      interactiveMode: "Never",
    };
    const path = await kubeconfig("broken", { exec });
    await fails(
      ["--kubeconfig", path, ...LIST],
      /^error: the kubeconfig's credential plugin false ended with 1; check the user of the kubeconfig/,
    );
  });
});

test.each([
  [["lease", "create", "x"], "--ttl"],
  [["lease", "create", "x", "--ttl", "5"], "5"],
  [["lease", "create", "x", "--ttl", "0s"], "longer than 0s"],
  [["lease", "create", "x", "--ttl=-1m"], "longer than 0s"],
  [["lease", "create", "x", "--ttl", "1m", "--priority", "1.5"], "a whole number"],
  [["lease", "create", "x", "--ttl", "1m", "--renewable=maybe"], "true or false"],
  [["lease", "create", "x", "--ttl", "1m", "--handover-policy", "Never"], "AfterExpiry, AfterTermination"],
  [["lease", "create", "Report", "--ttl", "1m"], "lower-case"],
  [["lease", "create", "x".repeat(64), "--ttl", "1m"], "63 characters"],
  [["lease", "status", "a/b"], "lower-case"],
  [["lease", "status", ""], "lower-case"],
  [["lease", "watch", "-x-"], "unknown option"],
  [["lease", "list", "-n", ""], "lower-case"],
  [["lease", "list", "-n", "a.b"], "lower-case"],
  [["lease", "list", "-n"], "argument missing"],
  [["lease", "list", "-o", "xml"], "text, wide, json, yaml, name"],
  [["lease", "list", "surplus"], "too many arguments"],
  [["lease", "status"], "missing required argument 'name'"],
  [["leas"], "did you mean lease?"],
  [["lease", "stauts", "x"], "did you mean status?"],
  [["lease", "list", "--all-namespace"], "did you mean --all-namespaces?"],
  [["completion", "tcsh"], "bash, zsh, fish"],
])("%j is refused before anything is sent", async (args, part) => {
  const { code, out, err } = await koncli(["--kubeconfig", "/nowhere", ...args]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/^error: /);
  expect(err).toContain(part);
  expect(err).not.toContain("/nowhere");
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});
